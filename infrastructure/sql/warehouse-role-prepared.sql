-- Instead of warehouse-role.sql, where the star's tables are there already, somebody else's: the loader makes none and
-- alters none.
create role totes_loader login;
grant connect, create, temporary on database warehouse to totes_loader;
grant usage on schema public to totes_loader;
grant select, insert, update on all tables in schema public to totes_loader;
grant usage on all sequences in schema public to totes_loader;
