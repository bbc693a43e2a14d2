-- A lending library: a database that is not totesys, for docs/another-database.md.
create type shelf as enum ('children', 'fiction', 'facts');

create table author (
  author_id bigint generated always as identity primary key,
  full_name text not null,
  born date
);

create table book (
  isbn varchar(17) primary key,
  title text not null,
  author_id bigint not null references author,
  shelf shelf not null,
  price numeric(8, 2) not null,
  cover bytea
);

create table member (
  member_id integer generated always as identity primary key,
  name text not null,
  joined date not null,
  is_child boolean not null default false
);

create table loan (
  loan_id bigint generated always as identity primary key,
  isbn varchar(17) not null references book,
  member_id integer not null references member,
  lent_at timestamptz not null,
  due date not null,
  returned_at timestamptz,
  fine numeric(6, 2) not null default 0
);

insert into author (full_name, born) values
  ('Astrid Lindgren', '1907-11-14'), ('Ursula K. Le Guin', '1929-10-21'), ('Anonymous', null);
insert into book (isbn, title, author_id, shelf, price) values
  ('978-0-19-279361-1', 'Pippi Longstocking', 1, 'children', 7.99),
  ('978-0-261-10235-4', 'The Dispossessed', 2, 'fiction', 9.49),
  ('978-0-14-044919-8', 'Gilgamesh', 3, 'fiction', 8.00);
insert into member (name, joined, is_child) values
  ('Ada', '2020-02-29', false), ('Bo', '2024-12-31', true);
insert into loan (isbn, member_id, lent_at, due) values
  ('978-0-19-279361-1', 2, '2025-03-01 10:00:00+00', '2025-03-15'),
  ('978-0-261-10235-4', 1, '2025-03-02 17:30:00.5+01', '2025-03-16');
