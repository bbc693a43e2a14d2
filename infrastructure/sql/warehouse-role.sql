-- Who fills the warehouse. In the warehouse's database, as its owner, who may make roles; the names are yours to change.
-- Its password is set apart, by psql's \password totes_loader: it is then in no file and no log.
create role totes_loader login;
-- create: the schema etl, where loaded batches are counted; temporary: rows are staged before they are merged.
grant connect, create, temporary on database warehouse to totes_loader;
-- create: the star's tables, which are then the loader's own.
grant usage, create on schema public to totes_loader;
