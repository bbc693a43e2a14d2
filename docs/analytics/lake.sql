-- The star's tables, by DuckDB, straight over the Parquet files that the lake's manifests name. `npm run docs` writes this file.
--
--   set variable lake = 's3://BUCKET';    the processed bucket, or a folder with a copy of it
--   set variable until = 41;              as of batch 41; leave it out for how it is now
--
-- then this, then any question beside it: the tables are called as in the warehouse, and have the same columns. Facts have
-- their versions. Rows that a repair removed are here still, and inferred members are not.
create or replace temp table committed as
select batch, object."table", object."key"
  from (select batch, unnest(objects) as object
          from read_json(getvariable('lake') || '/_batches/*.json', columns = {
                 batch: 'bigint', objects: 'struct("table" varchar, "key" varchar)[]'
               }))
 where batch <= coalesce(getvariable('until'), batch);

set variable "files_of_fact_payment" = (
  select list(getvariable('lake') || '/' || "key") from committed where "table" = 'fact_payment'
);
create or replace temp view "fact_payment" as
with seen as (
  select *, row("payment_id", "created_date", "created_time", "last_updated_date", "last_updated_time", "transaction_id", "counterparty_id", "payment_amount", "currency_id", "payment_type_id", "paid", "payment_date") as state from read_parquet(getvariable('files_of_fact_payment'), union_by_name = true)
), compared as (
  select *, lag(state) over (partition by "payment_id" order by _batch) as before from seen
)
select row_number() over (order by _batch, "payment_id") as "payment_record_id", "payment_id", "created_date", cast("created_time" as time) as "created_time", "last_updated_date", cast("last_updated_time" as time) as "last_updated_time", "transaction_id", "counterparty_id", "payment_amount", "currency_id", "payment_type_id", "paid", "payment_date"
  from compared
 where state is distinct from before;

set variable "files_of_fact_purchase_order" = (
  select list(getvariable('lake') || '/' || "key") from committed where "table" = 'fact_purchase_order'
);
create or replace temp view "fact_purchase_order" as
with seen as (
  select *, row("purchase_order_id", "created_date", "created_time", "last_updated_date", "last_updated_time", "staff_id", "counterparty_id", "item_code", "item_quantity", "item_unit_price", "currency_id", "agreed_delivery_date", "agreed_payment_date", "agreed_delivery_location_id") as state from read_parquet(getvariable('files_of_fact_purchase_order'), union_by_name = true)
), compared as (
  select *, lag(state) over (partition by "purchase_order_id" order by _batch) as before from seen
)
select row_number() over (order by _batch, "purchase_order_id") as "purchase_record_id", "purchase_order_id", "created_date", cast("created_time" as time) as "created_time", "last_updated_date", cast("last_updated_time" as time) as "last_updated_time", "staff_id", "counterparty_id", "item_code", "item_quantity", "item_unit_price", "currency_id", "agreed_delivery_date", "agreed_payment_date", "agreed_delivery_location_id"
  from compared
 where state is distinct from before;

set variable "files_of_fact_sales_order" = (
  select list(getvariable('lake') || '/' || "key") from committed where "table" = 'fact_sales_order'
);
create or replace temp view "fact_sales_order" as
with seen as (
  select *, row("sales_order_id", "created_date", "created_time", "last_updated_date", "last_updated_time", "sales_staff_id", "counterparty_id", "units_sold", "unit_price", "currency_id", "design_id", "agreed_payment_date", "agreed_delivery_date", "agreed_delivery_location_id") as state from read_parquet(getvariable('files_of_fact_sales_order'), union_by_name = true)
), compared as (
  select *, lag(state) over (partition by "sales_order_id" order by _batch) as before from seen
)
select row_number() over (order by _batch, "sales_order_id") as "sales_record_id", "sales_order_id", "created_date", cast("created_time" as time) as "created_time", "last_updated_date", cast("last_updated_time" as time) as "last_updated_time", "sales_staff_id", "counterparty_id", "units_sold", "unit_price", "currency_id", "design_id", "agreed_payment_date", "agreed_delivery_date", "agreed_delivery_location_id"
  from compared
 where state is distinct from before;

set variable "files_of_dim_counterparty" = (
  select list(getvariable('lake') || '/' || "key") from committed where "table" = 'dim_counterparty'
);
create or replace temp view "dim_counterparty" as
select "counterparty_id", "counterparty_legal_name", "counterparty_legal_address_line_1", "counterparty_legal_address_line_2", "counterparty_legal_district", "counterparty_legal_city", "counterparty_legal_postal_code", "counterparty_legal_country", "counterparty_legal_phone_number"
  from read_parquet(getvariable('files_of_dim_counterparty'), union_by_name = true)
qualify row_number() over (partition by "counterparty_id" order by _batch desc) = 1;

set variable "files_of_dim_currency" = (
  select list(getvariable('lake') || '/' || "key") from committed where "table" = 'dim_currency'
);
create or replace temp view "dim_currency" as
select "currency_id", "currency_code", "currency_name"
  from read_parquet(getvariable('files_of_dim_currency'), union_by_name = true)
qualify row_number() over (partition by "currency_id" order by _batch desc) = 1;

set variable "files_of_dim_date" = (
  select list(getvariable('lake') || '/' || "key") from committed where "table" = 'dim_date'
);
create or replace temp view "dim_date" as
select "date_id", "year", "month", "day", "day_of_week", "day_name", "month_name", "quarter"
  from read_parquet(getvariable('files_of_dim_date'), union_by_name = true)
qualify row_number() over (partition by "date_id" order by _batch desc) = 1;

set variable "files_of_dim_design" = (
  select list(getvariable('lake') || '/' || "key") from committed where "table" = 'dim_design'
);
create or replace temp view "dim_design" as
select "design_id", "design_name", "file_location", "file_name"
  from read_parquet(getvariable('files_of_dim_design'), union_by_name = true)
qualify row_number() over (partition by "design_id" order by _batch desc) = 1;

set variable "files_of_dim_location" = (
  select list(getvariable('lake') || '/' || "key") from committed where "table" = 'dim_location'
);
create or replace temp view "dim_location" as
select "location_id", "address_line_1", "address_line_2", "district", "city", "postal_code", "country", "phone"
  from read_parquet(getvariable('files_of_dim_location'), union_by_name = true)
qualify row_number() over (partition by "location_id" order by _batch desc) = 1;

set variable "files_of_dim_payment_type" = (
  select list(getvariable('lake') || '/' || "key") from committed where "table" = 'dim_payment_type'
);
create or replace temp view "dim_payment_type" as
select "payment_type_id", "payment_type_name"
  from read_parquet(getvariable('files_of_dim_payment_type'), union_by_name = true)
qualify row_number() over (partition by "payment_type_id" order by _batch desc) = 1;

set variable "files_of_dim_staff" = (
  select list(getvariable('lake') || '/' || "key") from committed where "table" = 'dim_staff'
);
create or replace temp view "dim_staff" as
select "staff_id", "first_name", "last_name", "department_name", "location", "email_address"
  from read_parquet(getvariable('files_of_dim_staff'), union_by_name = true)
qualify row_number() over (partition by "staff_id" order by _batch desc) = 1;

set variable "files_of_dim_transaction" = (
  select list(getvariable('lake') || '/' || "key") from committed where "table" = 'dim_transaction'
);
create or replace temp view "dim_transaction" as
select "transaction_id", "transaction_type", "sales_order_id", "purchase_order_id"
  from read_parquet(getvariable('files_of_dim_transaction'), union_by_name = true)
qualify row_number() over (partition by "transaction_id" order by _batch desc) = 1;
