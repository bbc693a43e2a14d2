-- Who reads the shop. In the shop's database, as its owner, who may make roles; the names are yours to change.
-- Its password is set apart, by psql's \password totes_reader: it is then in no file and no log.
create role totes_reader login;
grant connect on database totesys to totes_reader;
grant usage on schema public to totes_reader;

-- The tables that tables/sources.ts declares, and no others. Ingestion's transaction is read-only besides.
grant select on
  address, counterparty, currency, department, design, payment, payment_type, purchase_order, sales_order, staff, transaction
  to totes_reader;
