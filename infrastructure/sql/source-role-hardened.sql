-- On a server that took these rights from everybody, as a superuser: which database this is, and which timeline of it,
-- says whether its transaction ids still mean what they did at the last run.
grant execute on function
  pg_catalog.pg_control_system(), pg_catalog.pg_control_checkpoint(), pg_catalog.pg_control_recovery()
  to totes_reader;
