-- On PostgreSQL 15 or later, as a superuser: many rows are loaded several times as fast, for their references are checked
-- as sets, not a row at a time. The right is the whole server's: in any database where the loader may write, it may
-- write rows past triggers and foreign keys.
grant set on parameter session_replication_role to totes_loader;
