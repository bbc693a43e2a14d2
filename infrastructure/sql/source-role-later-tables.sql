-- If the reader may see every table that this role makes from now on: a new table module then needs no new grant.
alter default privileges in schema public grant select on tables to totes_reader;
