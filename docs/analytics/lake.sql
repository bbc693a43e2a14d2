-- The star's tables, by DuckDB, straight over the Parquet files that the lake's manifests name: what
-- `totes lake sql --dialect duckdb` prints. `npm run docs` writes this file; docs/lake.md says what is in it.
--
--   set variable lake = 's3://BUCKET';    the processed bucket, or a folder with a copy of it
--   set variable as_of = 41;              as of batch 41; leave it out for how it is now
--
-- then this, then any question beside it. Run it again to see batches that came since.
set variable etl_manifest_count = (
  select case when getvariable('lake') is null then error('set variable lake first: to the processed bucket, or a folder with a copy of it')
              when count(*) = 0 then error('no manifests in ' || getvariable('lake') || '/_batches/: it is the processed bucket that has them, once the pipeline has run') else count(*) end
    from glob(coalesce(getvariable('lake'), '') || '/_batches/*.json')
);

set variable etl_manifest_files = (select list(file) from glob(getvariable('lake') || '/_batches/*.json'));

create or replace temp table etl_manifest as
select "batch", "kind", "committed_at", "objects", "deleted"
  from query(case when getvariable('etl_manifest_files') is null then 'select null::bigint as "batch", null::varchar as "kind", null::varchar as "committed_at", null::struct("table" varchar, "key" varchar, "rows" bigint, bytes bigint, sha256 varchar)[] as "objects", null::struct("table" varchar, "key" varchar, "rows" bigint, bytes bigint, sha256 varchar)[] as "deleted" where false'
                  else 'select * from read_json(getvariable(''etl_manifest_files''), format = ''newline_delimited'', maximum_object_size = 67108864, columns = {"batch": ''bigint'', "kind": ''varchar'', "committed_at": ''varchar'', "objects": ''struct("table" varchar, "key" varchar, "rows" bigint, bytes bigint, sha256 varchar)[]'', "deleted": ''struct("table" varchar, "key" varchar, "rows" bigint, bytes bigint, sha256 varchar)[]''})' end);

set variable etl_compaction_files = (select list(file) from glob(getvariable('lake') || '/_compactions/*.json'));

create or replace temp table etl_compaction as
select "from" as first_batch, "to" as last_batch, "kind", "committed_at", "objects", "deleted"
  from query(case when getvariable('etl_compaction_files') is null then 'select null::bigint as "from", null::bigint as "to", null::varchar as "kind", null::varchar as "committed_at", null::struct("table" varchar, "key" varchar, "rows" bigint, bytes bigint, sha256 varchar)[] as "objects", null::struct("table" varchar, "key" varchar, "rows" bigint, bytes bigint, sha256 varchar)[] as "deleted" where false'
                  else 'select * from read_json(getvariable(''etl_compaction_files''), format = ''newline_delimited'', maximum_object_size = 67108864, columns = {"from": ''bigint'', "to": ''bigint'', "kind": ''varchar'', "committed_at": ''varchar'', "objects": ''struct("table" varchar, "key" varchar, "rows" bigint, bytes bigint, sha256 varchar)[]'', "deleted": ''struct("table" varchar, "key" varchar, "rows" bigint, bytes bigint, sha256 varchar)[]''})' end);

set variable etl_receipt_files = (select list(file) from glob(getvariable('lake') || '/_loads/*.json'));

create or replace temp table etl_receipt as
select "batch", "skipped_why", "left" as left_out
  from query(case when getvariable('etl_receipt_files') is null then 'select null::bigint as "batch", null::varchar as "skipped_why", null::varchar[] as "left" where false'
                  else 'select * from read_json(getvariable(''etl_receipt_files''), format = ''newline_delimited'', maximum_object_size = 67108864, columns = {"batch": ''bigint'', "skipped_why": ''varchar'', "left": ''varchar[]''})' end);

create or replace temp table "etl_batch" as
select batch, kind, committed_at
  from (select batch, kind, committed_at, skipped
          from (select batch, kind, committed_at, skipped, row_number() over (order by batch) as _nth
                  from (select batch, max(kind) as kind, max(committed_at) as committed_at, max(skipped) as skipped
                  from (select batch, kind, committed_at, 0 as skipped from etl_manifest where batch > 0
                         union all
                        select batch, null, null, 1 from etl_receipt where batch > 0 and skipped_why is not null) as named
                 group by batch) as known) as numbered
         where batch = _nth) as in_line
 where skipped = 0
   and batch <= coalesce(getvariable('as_of'), batch);

create or replace temp table "etl_object" as
select o.*
  from (select *, 'rows' as content
          from (select first_batch, last_batch, kind, committed_at, object."table" as table_name, object."key" as object_key,
               object."rows" as row_count, object.bytes as byte_count, object.sha256 as sha256
          from (select batch as first_batch, batch as last_batch, kind, committed_at, unnest(objects) as object from etl_manifest)) as listed
        union all
        select *, 'deleted' as content
          from (select first_batch, last_batch, kind, committed_at, object."table" as table_name, object."key" as object_key,
               object."rows" as row_count, object.bytes as byte_count, object.sha256 as sha256
          from (select batch as first_batch, batch as last_batch, kind, committed_at, unnest(deleted) as object from etl_manifest)) as listed) as o
  left join etl_receipt as r on r.batch = o.first_batch
 where o.first_batch in (select batch from etl_batch)
   and o.first_batch not in (select unnest(range(first_batch, last_batch + 1)) as batch from etl_compaction)
   and (r.left_out is null or not list_contains(r.left_out, o.table_name))
union all
select *
  from (select *, 'rows' as content
          from (select first_batch, last_batch, kind, committed_at, object."table" as table_name, object."key" as object_key,
               object."rows" as row_count, object.bytes as byte_count, object.sha256 as sha256
          from (select first_batch, last_batch, kind, committed_at, unnest(objects) as object from etl_compaction)) as listed
        union all
        select *, 'deleted' as content
          from (select first_batch, last_batch, kind, committed_at, object."table" as table_name, object."key" as object_key,
               object."rows" as row_count, object.bytes as byte_count, object.sha256 as sha256
          from (select first_batch, last_batch, kind, committed_at, unnest(deleted) as object from etl_compaction)) as listed) as o
 where first_batch <= (select max(batch) from etl_batch);

set variable "etl_files_rows_dim_counterparty" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_counterparty' and content = 'rows'
);

set variable "etl_files_deleted_dim_counterparty" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_counterparty' and content = 'deleted'
);

set variable "etl_files_rows_dim_currency" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_currency' and content = 'rows'
);

set variable "etl_files_deleted_dim_currency" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_currency' and content = 'deleted'
);

set variable "etl_files_rows_dim_date" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_date' and content = 'rows'
);

set variable "etl_files_rows_dim_design" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_design' and content = 'rows'
);

set variable "etl_files_deleted_dim_design" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_design' and content = 'deleted'
);

set variable "etl_files_rows_dim_location" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_location' and content = 'rows'
);

set variable "etl_files_deleted_dim_location" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_location' and content = 'deleted'
);

set variable "etl_files_rows_dim_payment_type" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_payment_type' and content = 'rows'
);

set variable "etl_files_deleted_dim_payment_type" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_payment_type' and content = 'deleted'
);

set variable "etl_files_rows_dim_staff" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_staff' and content = 'rows'
);

set variable "etl_files_deleted_dim_staff" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_staff' and content = 'deleted'
);

set variable "etl_files_rows_dim_transaction" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_transaction' and content = 'rows'
);

set variable "etl_files_deleted_dim_transaction" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'dim_transaction' and content = 'deleted'
);

set variable "etl_files_rows_fact_payment" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'fact_payment' and content = 'rows'
);

set variable "etl_files_deleted_fact_payment" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'fact_payment' and content = 'deleted'
);

set variable "etl_files_rows_fact_purchase_order" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'fact_purchase_order' and content = 'rows'
);

set variable "etl_files_deleted_fact_purchase_order" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'fact_purchase_order' and content = 'deleted'
);

set variable "etl_files_rows_fact_sales_order" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'fact_sales_order' and content = 'rows'
);

set variable "etl_files_deleted_fact_sales_order" = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = 'fact_sales_order' and content = 'deleted'
);

create or replace temp view "etl_rows_dim_counterparty" as
select "counterparty_id" as "counterparty_id",
       coalesce("counterparty_legal_name", cast('unknown' as varchar)) as "counterparty_legal_name",
       coalesce("counterparty_legal_address_line_1", cast('unknown' as varchar)) as "counterparty_legal_address_line_1",
       "counterparty_legal_address_line_2" as "counterparty_legal_address_line_2",
       "counterparty_legal_district" as "counterparty_legal_district",
       coalesce("counterparty_legal_city", cast('unknown' as varchar)) as "counterparty_legal_city",
       coalesce("counterparty_legal_postal_code", cast('unknown' as varchar)) as "counterparty_legal_postal_code",
       coalesce("counterparty_legal_country", cast('unknown' as varchar)) as "counterparty_legal_country",
       coalesce("counterparty_legal_phone_number", cast('unknown' as varchar)) as "counterparty_legal_phone_number",
       _batch
  from (select null::integer as "counterparty_id", null::varchar as "counterparty_legal_name", null::varchar as "counterparty_legal_address_line_1", null::varchar as "counterparty_legal_address_line_2", null::varchar as "counterparty_legal_district", null::varchar as "counterparty_legal_city", null::varchar as "counterparty_legal_postal_code", null::varchar as "counterparty_legal_country", null::varchar as "counterparty_legal_phone_number", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_rows_dim_counterparty') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_rows_dim_counterparty''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_counterparty'));

create or replace temp view "etl_gone_dim_counterparty" as
select "counterparty_id", "deleted_at", _batch
  from (select null::integer as "counterparty_id", null::timestamptz as "deleted_at", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_deleted_dim_counterparty') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_deleted_dim_counterparty''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_counterparty'))
   and "counterparty_id" is not null
   and "deleted_at" is not null
   and _batch in (select batch from etl_batch where kind = 'resync');

create or replace temp view "dim_counterparty" as
with live as (
  select r."counterparty_id" as "counterparty_id", r."counterparty_legal_name" as "counterparty_legal_name", r."counterparty_legal_address_line_1" as "counterparty_legal_address_line_1", r."counterparty_legal_address_line_2" as "counterparty_legal_address_line_2", r."counterparty_legal_district" as "counterparty_legal_district", r."counterparty_legal_city" as "counterparty_legal_city", r."counterparty_legal_postal_code" as "counterparty_legal_postal_code", r."counterparty_legal_country" as "counterparty_legal_country", r."counterparty_legal_phone_number" as "counterparty_legal_phone_number", r."_batch" as "_batch"
    from "etl_rows_dim_counterparty" as r
    left join (select "counterparty_id", max(_batch) as _last from "etl_gone_dim_counterparty" group by "counterparty_id") as g
      on r."counterparty_id" = g."counterparty_id"
   where g._last is null or r._batch > g._last
)
select "counterparty_id", "counterparty_legal_name", "counterparty_legal_address_line_1", "counterparty_legal_address_line_2", "counterparty_legal_district", "counterparty_legal_city", "counterparty_legal_postal_code", "counterparty_legal_country", "counterparty_legal_phone_number"
  from (select *, row_number() over (partition by "counterparty_id" order by _batch desc) as _nth from live) as newest
 where _nth = 1;

create or replace temp view "etl_rows_dim_currency" as
select "currency_id" as "currency_id",
       coalesce("currency_code", cast('unknown' as varchar)) as "currency_code",
       coalesce("currency_name", cast('unknown' as varchar)) as "currency_name",
       _batch
  from (select null::integer as "currency_id", null::varchar as "currency_code", null::varchar as "currency_name", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_rows_dim_currency') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_rows_dim_currency''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_currency'));

create or replace temp view "etl_gone_dim_currency" as
select "currency_id", "deleted_at", _batch
  from (select null::integer as "currency_id", null::timestamptz as "deleted_at", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_deleted_dim_currency') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_deleted_dim_currency''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_currency'))
   and "currency_id" is not null
   and "deleted_at" is not null
   and _batch in (select batch from etl_batch where kind = 'resync');

create or replace temp view "dim_currency" as
with live as (
  select r."currency_id" as "currency_id", r."currency_code" as "currency_code", r."currency_name" as "currency_name", r."_batch" as "_batch"
    from "etl_rows_dim_currency" as r
    left join (select "currency_id", max(_batch) as _last from "etl_gone_dim_currency" group by "currency_id") as g
      on r."currency_id" = g."currency_id"
   where g._last is null or r._batch > g._last
)
select "currency_id", "currency_code", "currency_name"
  from (select *, row_number() over (partition by "currency_id" order by _batch desc) as _nth from live) as newest
 where _nth = 1;

create or replace temp view "etl_rows_dim_date" as
select "date_id" as "date_id",
       coalesce("year", cast('0' as integer)) as "year",
       coalesce("month", cast('0' as integer)) as "month",
       coalesce("day", cast('0' as integer)) as "day",
       coalesce("day_of_week", cast('0' as integer)) as "day_of_week",
       coalesce("day_name", cast('unknown' as varchar)) as "day_name",
       coalesce("month_name", cast('unknown' as varchar)) as "month_name",
       coalesce("quarter", cast('0' as integer)) as "quarter",
       _batch
  from (select null::date as "date_id", null::integer as "year", null::integer as "month", null::integer as "day", null::integer as "day_of_week", null::varchar as "day_name", null::varchar as "month_name", null::integer as "quarter", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_rows_dim_date') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_rows_dim_date''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_date'));

create or replace temp view "dim_date" as
select "date_id", "year", "month", "day", "day_of_week", "day_name", "month_name", "quarter"
  from (select *, row_number() over (partition by "date_id" order by _batch desc) as _nth from "etl_rows_dim_date") as newest
 where _nth = 1;

create or replace temp view "etl_rows_dim_design" as
select "design_id" as "design_id",
       coalesce("design_name", cast('unknown' as varchar)) as "design_name",
       coalesce("file_location", cast('unknown' as varchar)) as "file_location",
       coalesce("file_name", cast('unknown' as varchar)) as "file_name",
       _batch
  from (select null::integer as "design_id", null::varchar as "design_name", null::varchar as "file_location", null::varchar as "file_name", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_rows_dim_design') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_rows_dim_design''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_design'));

create or replace temp view "etl_gone_dim_design" as
select "design_id", "deleted_at", _batch
  from (select null::integer as "design_id", null::timestamptz as "deleted_at", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_deleted_dim_design') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_deleted_dim_design''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_design'))
   and "design_id" is not null
   and "deleted_at" is not null
   and _batch in (select batch from etl_batch where kind = 'resync');

create or replace temp view "dim_design" as
with live as (
  select r."design_id" as "design_id", r."design_name" as "design_name", r."file_location" as "file_location", r."file_name" as "file_name", r."_batch" as "_batch"
    from "etl_rows_dim_design" as r
    left join (select "design_id", max(_batch) as _last from "etl_gone_dim_design" group by "design_id") as g
      on r."design_id" = g."design_id"
   where g._last is null or r._batch > g._last
)
select "design_id", "design_name", "file_location", "file_name"
  from (select *, row_number() over (partition by "design_id" order by _batch desc) as _nth from live) as newest
 where _nth = 1;

create or replace temp view "etl_rows_dim_location" as
select "location_id" as "location_id",
       coalesce("address_line_1", cast('unknown' as varchar)) as "address_line_1",
       "address_line_2" as "address_line_2",
       "district" as "district",
       coalesce("city", cast('unknown' as varchar)) as "city",
       coalesce("postal_code", cast('unknown' as varchar)) as "postal_code",
       coalesce("country", cast('unknown' as varchar)) as "country",
       coalesce("phone", cast('unknown' as varchar)) as "phone",
       _batch
  from (select null::integer as "location_id", null::varchar as "address_line_1", null::varchar as "address_line_2", null::varchar as "district", null::varchar as "city", null::varchar as "postal_code", null::varchar as "country", null::varchar as "phone", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_rows_dim_location') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_rows_dim_location''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_location'));

create or replace temp view "etl_gone_dim_location" as
select "location_id", "deleted_at", _batch
  from (select null::integer as "location_id", null::timestamptz as "deleted_at", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_deleted_dim_location') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_deleted_dim_location''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_location'))
   and "location_id" is not null
   and "deleted_at" is not null
   and _batch in (select batch from etl_batch where kind = 'resync');

create or replace temp view "dim_location" as
with live as (
  select r."location_id" as "location_id", r."address_line_1" as "address_line_1", r."address_line_2" as "address_line_2", r."district" as "district", r."city" as "city", r."postal_code" as "postal_code", r."country" as "country", r."phone" as "phone", r."_batch" as "_batch"
    from "etl_rows_dim_location" as r
    left join (select "location_id", max(_batch) as _last from "etl_gone_dim_location" group by "location_id") as g
      on r."location_id" = g."location_id"
   where g._last is null or r._batch > g._last
)
select "location_id", "address_line_1", "address_line_2", "district", "city", "postal_code", "country", "phone"
  from (select *, row_number() over (partition by "location_id" order by _batch desc) as _nth from live) as newest
 where _nth = 1;

create or replace temp view "etl_rows_dim_payment_type" as
select "payment_type_id" as "payment_type_id", coalesce("payment_type_name", cast('unknown' as varchar)) as "payment_type_name", _batch
  from (select null::integer as "payment_type_id", null::varchar as "payment_type_name", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_rows_dim_payment_type') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_rows_dim_payment_type''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_payment_type'));

create or replace temp view "etl_gone_dim_payment_type" as
select "payment_type_id", "deleted_at", _batch
  from (select null::integer as "payment_type_id", null::timestamptz as "deleted_at", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_deleted_dim_payment_type') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_deleted_dim_payment_type''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_payment_type'))
   and "payment_type_id" is not null
   and "deleted_at" is not null
   and _batch in (select batch from etl_batch where kind = 'resync');

create or replace temp view "dim_payment_type" as
with live as (
  select r."payment_type_id" as "payment_type_id", r."payment_type_name" as "payment_type_name", r."_batch" as "_batch"
    from "etl_rows_dim_payment_type" as r
    left join (select "payment_type_id", max(_batch) as _last from "etl_gone_dim_payment_type" group by "payment_type_id") as g
      on r."payment_type_id" = g."payment_type_id"
   where g._last is null or r._batch > g._last
)
select "payment_type_id", "payment_type_name"
  from (select *, row_number() over (partition by "payment_type_id" order by _batch desc) as _nth from live) as newest
 where _nth = 1;

create or replace temp view "etl_rows_dim_staff" as
select "staff_id" as "staff_id",
       coalesce("first_name", cast('unknown' as varchar)) as "first_name",
       coalesce("last_name", cast('unknown' as varchar)) as "last_name",
       coalesce("department_name", cast('unknown' as varchar)) as "department_name",
       coalesce("location", cast('unknown' as varchar)) as "location",
       coalesce("email_address", cast('unknown' as varchar)) as "email_address",
       _batch
  from (select null::integer as "staff_id", null::varchar as "first_name", null::varchar as "last_name", null::varchar as "department_name", null::varchar as "location", null::varchar as "email_address", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_rows_dim_staff') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_rows_dim_staff''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_staff'));

create or replace temp view "etl_gone_dim_staff" as
select "staff_id", "deleted_at", _batch
  from (select null::integer as "staff_id", null::timestamptz as "deleted_at", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_deleted_dim_staff') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_deleted_dim_staff''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_staff'))
   and "staff_id" is not null
   and "deleted_at" is not null
   and _batch in (select batch from etl_batch where kind = 'resync');

create or replace temp view "dim_staff" as
with live as (
  select r."staff_id" as "staff_id", r."first_name" as "first_name", r."last_name" as "last_name", r."department_name" as "department_name", r."location" as "location", r."email_address" as "email_address", r."_batch" as "_batch"
    from "etl_rows_dim_staff" as r
    left join (select "staff_id", max(_batch) as _last from "etl_gone_dim_staff" group by "staff_id") as g
      on r."staff_id" = g."staff_id"
   where g._last is null or r._batch > g._last
)
select "staff_id", "first_name", "last_name", "department_name", "location", "email_address"
  from (select *, row_number() over (partition by "staff_id" order by _batch desc) as _nth from live) as newest
 where _nth = 1;

create or replace temp view "etl_rows_dim_transaction" as
select "transaction_id" as "transaction_id",
       coalesce("transaction_type", cast('unknown' as varchar)) as "transaction_type",
       "sales_order_id" as "sales_order_id",
       "purchase_order_id" as "purchase_order_id",
       _batch
  from (select null::integer as "transaction_id", null::varchar as "transaction_type", null::integer as "sales_order_id", null::integer as "purchase_order_id", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_rows_dim_transaction') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_rows_dim_transaction''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_transaction'));

create or replace temp view "etl_gone_dim_transaction" as
select "transaction_id", "deleted_at", _batch
  from (select null::integer as "transaction_id", null::timestamptz as "deleted_at", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_deleted_dim_transaction') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_deleted_dim_transaction''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'dim_transaction'))
   and "transaction_id" is not null
   and "deleted_at" is not null
   and _batch in (select batch from etl_batch where kind = 'resync');

create or replace temp view "dim_transaction" as
with live as (
  select r."transaction_id" as "transaction_id", r."transaction_type" as "transaction_type", r."sales_order_id" as "sales_order_id", r."purchase_order_id" as "purchase_order_id", r."_batch" as "_batch"
    from "etl_rows_dim_transaction" as r
    left join (select "transaction_id", max(_batch) as _last from "etl_gone_dim_transaction" group by "transaction_id") as g
      on r."transaction_id" = g."transaction_id"
   where g._last is null or r._batch > g._last
)
select "transaction_id", "transaction_type", "sales_order_id", "purchase_order_id"
  from (select *, row_number() over (partition by "transaction_id" order by _batch desc) as _nth from live) as newest
 where _nth = 1;

create or replace temp view "etl_rows_fact_payment" as
select "payment_id" as "payment_id",
       coalesce("created_date", cast('0001-01-01' as date)) as "created_date",
       coalesce(cast("created_time" as time), cast('00:00:00.000000' as time)) as "created_time",
       coalesce("last_updated_date", cast('0001-01-01' as date)) as "last_updated_date",
       coalesce(cast("last_updated_time" as time), cast('00:00:00.000000' as time)) as "last_updated_time",
       coalesce("transaction_id", cast('0' as integer)) as "transaction_id",
       coalesce("counterparty_id", cast('0' as integer)) as "counterparty_id",
       coalesce("payment_amount", cast('0.00' as decimal(10, 2))) as "payment_amount",
       coalesce("currency_id", cast('0' as integer)) as "currency_id",
       coalesce("payment_type_id", cast('0' as integer)) as "payment_type_id",
       coalesce("paid", false) as "paid",
       coalesce("payment_date", cast('0001-01-01' as date)) as "payment_date",
       _batch
  from (select null::integer as "payment_id", null::date as "created_date", null::varchar as "created_time", null::date as "last_updated_date", null::varchar as "last_updated_time", null::integer as "transaction_id", null::integer as "counterparty_id", null::decimal(10, 2) as "payment_amount", null::integer as "currency_id", null::integer as "payment_type_id", null::boolean as "paid", null::date as "payment_date", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_rows_fact_payment') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_rows_fact_payment''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'fact_payment'));

create or replace temp view "etl_gone_fact_payment" as
select "payment_id", "deleted_at", _batch
  from (select null::integer as "payment_id", null::timestamptz as "deleted_at", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_deleted_fact_payment') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_deleted_fact_payment''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'fact_payment'))
   and "payment_id" is not null
   and "deleted_at" is not null
   and _batch in (select batch from etl_batch where kind = 'resync');

create or replace temp view "fact_payment" as
with live as (
  select r."payment_id" as "payment_id", r."created_date" as "created_date", r."created_time" as "created_time", r."last_updated_date" as "last_updated_date", r."last_updated_time" as "last_updated_time", r."transaction_id" as "transaction_id", r."counterparty_id" as "counterparty_id", r."payment_amount" as "payment_amount", r."currency_id" as "currency_id", r."payment_type_id" as "payment_type_id", r."paid" as "paid", r."payment_date" as "payment_date", r."_batch" as "_batch"
    from "etl_rows_fact_payment" as r
    left join (select "payment_id", max(_batch) as _last from "etl_gone_fact_payment" group by "payment_id") as g
      on r."payment_id" = g."payment_id"
   where g._last is null or r._batch > g._last
)
select row_number() over (order by _batch, "payment_id") as "payment_record_id", "payment_id", "created_date", "created_time", "last_updated_date", "last_updated_time", "transaction_id", "counterparty_id", "payment_amount", "currency_id", "payment_type_id", "paid", "payment_date"
  from (select *, row_number() over (partition by "payment_id" order by _batch) as _nth, row("created_date", "created_time", "last_updated_date", "last_updated_time", "transaction_id", "counterparty_id", "payment_amount", "currency_id", "payment_type_id", "paid", "payment_date") is distinct from lag(row("created_date", "created_time", "last_updated_date", "last_updated_time", "transaction_id", "counterparty_id", "payment_amount", "currency_id", "payment_type_id", "paid", "payment_date")) over (partition by "payment_id" order by _batch) as _changed
          from live) as seen
 where _nth = 1 or _changed;

create or replace temp view "fact_payment_latest" as
with live as (
  select r."payment_id" as "payment_id", r."created_date" as "created_date", r."created_time" as "created_time", r."last_updated_date" as "last_updated_date", r."last_updated_time" as "last_updated_time", r."transaction_id" as "transaction_id", r."counterparty_id" as "counterparty_id", r."payment_amount" as "payment_amount", r."currency_id" as "currency_id", r."payment_type_id" as "payment_type_id", r."paid" as "paid", r."payment_date" as "payment_date", r."_batch" as "_batch"
    from "etl_rows_fact_payment" as r
    left join (select "payment_id", max(_batch) as _last from "etl_gone_fact_payment" group by "payment_id") as g
      on r."payment_id" = g."payment_id"
   where g._last is null or r._batch > g._last
)
select "payment_id", "created_date", "created_time", "last_updated_date", "last_updated_time", "transaction_id", "counterparty_id", "payment_amount", "currency_id", "payment_type_id", "paid", "payment_date"
  from (select *, row_number() over (partition by "payment_id" order by _batch desc) as _nth from live) as newest
 where _nth = 1;

create or replace temp view "etl_rows_fact_purchase_order" as
select "purchase_order_id" as "purchase_order_id",
       coalesce("created_date", cast('0001-01-01' as date)) as "created_date",
       coalesce(cast("created_time" as time), cast('00:00:00.000000' as time)) as "created_time",
       coalesce("last_updated_date", cast('0001-01-01' as date)) as "last_updated_date",
       coalesce(cast("last_updated_time" as time), cast('00:00:00.000000' as time)) as "last_updated_time",
       coalesce("staff_id", cast('0' as integer)) as "staff_id",
       coalesce("counterparty_id", cast('0' as integer)) as "counterparty_id",
       coalesce("item_code", cast('unknown' as varchar)) as "item_code",
       coalesce("item_quantity", cast('0' as integer)) as "item_quantity",
       coalesce("item_unit_price", cast('0.00' as decimal(10, 2))) as "item_unit_price",
       coalesce("currency_id", cast('0' as integer)) as "currency_id",
       coalesce("agreed_delivery_date", cast('0001-01-01' as date)) as "agreed_delivery_date",
       coalesce("agreed_payment_date", cast('0001-01-01' as date)) as "agreed_payment_date",
       coalesce("agreed_delivery_location_id", cast('0' as integer)) as "agreed_delivery_location_id",
       _batch
  from (select null::integer as "purchase_order_id", null::date as "created_date", null::varchar as "created_time", null::date as "last_updated_date", null::varchar as "last_updated_time", null::integer as "staff_id", null::integer as "counterparty_id", null::varchar as "item_code", null::integer as "item_quantity", null::decimal(10, 2) as "item_unit_price", null::integer as "currency_id", null::date as "agreed_delivery_date", null::date as "agreed_payment_date", null::integer as "agreed_delivery_location_id", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_rows_fact_purchase_order') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_rows_fact_purchase_order''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'fact_purchase_order'));

create or replace temp view "etl_gone_fact_purchase_order" as
select "purchase_order_id", "deleted_at", _batch
  from (select null::integer as "purchase_order_id", null::timestamptz as "deleted_at", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_deleted_fact_purchase_order') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_deleted_fact_purchase_order''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'fact_purchase_order'))
   and "purchase_order_id" is not null
   and "deleted_at" is not null
   and _batch in (select batch from etl_batch where kind = 'resync');

create or replace temp view "fact_purchase_order" as
with live as (
  select r."purchase_order_id" as "purchase_order_id", r."created_date" as "created_date", r."created_time" as "created_time", r."last_updated_date" as "last_updated_date", r."last_updated_time" as "last_updated_time", r."staff_id" as "staff_id", r."counterparty_id" as "counterparty_id", r."item_code" as "item_code", r."item_quantity" as "item_quantity", r."item_unit_price" as "item_unit_price", r."currency_id" as "currency_id", r."agreed_delivery_date" as "agreed_delivery_date", r."agreed_payment_date" as "agreed_payment_date", r."agreed_delivery_location_id" as "agreed_delivery_location_id", r."_batch" as "_batch"
    from "etl_rows_fact_purchase_order" as r
    left join (select "purchase_order_id", max(_batch) as _last from "etl_gone_fact_purchase_order" group by "purchase_order_id") as g
      on r."purchase_order_id" = g."purchase_order_id"
   where g._last is null or r._batch > g._last
)
select row_number() over (order by _batch, "purchase_order_id") as "purchase_record_id", "purchase_order_id", "created_date", "created_time", "last_updated_date", "last_updated_time", "staff_id", "counterparty_id", "item_code", "item_quantity", "item_unit_price", "currency_id", "agreed_delivery_date", "agreed_payment_date", "agreed_delivery_location_id"
  from (select *, row_number() over (partition by "purchase_order_id" order by _batch) as _nth, row("created_date", "created_time", "last_updated_date", "last_updated_time", "staff_id", "counterparty_id", "item_code", "item_quantity", "item_unit_price", "currency_id", "agreed_delivery_date", "agreed_payment_date", "agreed_delivery_location_id") is distinct from lag(row("created_date", "created_time", "last_updated_date", "last_updated_time", "staff_id", "counterparty_id", "item_code", "item_quantity", "item_unit_price", "currency_id", "agreed_delivery_date", "agreed_payment_date", "agreed_delivery_location_id")) over (partition by "purchase_order_id" order by _batch) as _changed
          from live) as seen
 where _nth = 1 or _changed;

create or replace temp view "fact_purchase_order_latest" as
with live as (
  select r."purchase_order_id" as "purchase_order_id", r."created_date" as "created_date", r."created_time" as "created_time", r."last_updated_date" as "last_updated_date", r."last_updated_time" as "last_updated_time", r."staff_id" as "staff_id", r."counterparty_id" as "counterparty_id", r."item_code" as "item_code", r."item_quantity" as "item_quantity", r."item_unit_price" as "item_unit_price", r."currency_id" as "currency_id", r."agreed_delivery_date" as "agreed_delivery_date", r."agreed_payment_date" as "agreed_payment_date", r."agreed_delivery_location_id" as "agreed_delivery_location_id", r."_batch" as "_batch"
    from "etl_rows_fact_purchase_order" as r
    left join (select "purchase_order_id", max(_batch) as _last from "etl_gone_fact_purchase_order" group by "purchase_order_id") as g
      on r."purchase_order_id" = g."purchase_order_id"
   where g._last is null or r._batch > g._last
)
select "purchase_order_id", "created_date", "created_time", "last_updated_date", "last_updated_time", "staff_id", "counterparty_id", "item_code", "item_quantity", "item_unit_price", "currency_id", "agreed_delivery_date", "agreed_payment_date", "agreed_delivery_location_id"
  from (select *, row_number() over (partition by "purchase_order_id" order by _batch desc) as _nth from live) as newest
 where _nth = 1;

create or replace temp view "etl_rows_fact_sales_order" as
select "sales_order_id" as "sales_order_id",
       coalesce("created_date", cast('0001-01-01' as date)) as "created_date",
       coalesce(cast("created_time" as time), cast('00:00:00.000000' as time)) as "created_time",
       coalesce("last_updated_date", cast('0001-01-01' as date)) as "last_updated_date",
       coalesce(cast("last_updated_time" as time), cast('00:00:00.000000' as time)) as "last_updated_time",
       coalesce("sales_staff_id", cast('0' as integer)) as "sales_staff_id",
       coalesce("counterparty_id", cast('0' as integer)) as "counterparty_id",
       coalesce("units_sold", cast('0' as integer)) as "units_sold",
       coalesce("unit_price", cast('0.00' as decimal(10, 2))) as "unit_price",
       coalesce("currency_id", cast('0' as integer)) as "currency_id",
       coalesce("design_id", cast('0' as integer)) as "design_id",
       coalesce("agreed_payment_date", cast('0001-01-01' as date)) as "agreed_payment_date",
       coalesce("agreed_delivery_date", cast('0001-01-01' as date)) as "agreed_delivery_date",
       coalesce("agreed_delivery_location_id", cast('0' as integer)) as "agreed_delivery_location_id",
       _batch
  from (select null::integer as "sales_order_id", null::date as "created_date", null::varchar as "created_time", null::date as "last_updated_date", null::varchar as "last_updated_time", null::integer as "sales_staff_id", null::integer as "counterparty_id", null::integer as "units_sold", null::decimal(10, 2) as "unit_price", null::integer as "currency_id", null::integer as "design_id", null::date as "agreed_payment_date", null::date as "agreed_delivery_date", null::integer as "agreed_delivery_location_id", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_rows_fact_sales_order') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_rows_fact_sales_order''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'fact_sales_order'));

create or replace temp view "etl_gone_fact_sales_order" as
select "sales_order_id", "deleted_at", _batch
  from (select null::integer as "sales_order_id", null::timestamptz as "deleted_at", null::bigint as _batch where false
        union all by name
        select * from query(case when getvariable('etl_files_deleted_fact_sales_order') is null then 'select null::bigint as _batch where false'
                                 else 'select * from read_parquet(getvariable(''etl_files_deleted_fact_sales_order''), union_by_name = true)' end)) as files
 where _batch in (select batch from etl_batch)
   and _batch not in (select batch from etl_receipt where batch > 0 and list_contains(left_out, 'fact_sales_order'))
   and "sales_order_id" is not null
   and "deleted_at" is not null
   and _batch in (select batch from etl_batch where kind = 'resync');

create or replace temp view "fact_sales_order" as
with live as (
  select r."sales_order_id" as "sales_order_id", r."created_date" as "created_date", r."created_time" as "created_time", r."last_updated_date" as "last_updated_date", r."last_updated_time" as "last_updated_time", r."sales_staff_id" as "sales_staff_id", r."counterparty_id" as "counterparty_id", r."units_sold" as "units_sold", r."unit_price" as "unit_price", r."currency_id" as "currency_id", r."design_id" as "design_id", r."agreed_payment_date" as "agreed_payment_date", r."agreed_delivery_date" as "agreed_delivery_date", r."agreed_delivery_location_id" as "agreed_delivery_location_id", r."_batch" as "_batch"
    from "etl_rows_fact_sales_order" as r
    left join (select "sales_order_id", max(_batch) as _last from "etl_gone_fact_sales_order" group by "sales_order_id") as g
      on r."sales_order_id" = g."sales_order_id"
   where g._last is null or r._batch > g._last
)
select row_number() over (order by _batch, "sales_order_id") as "sales_record_id", "sales_order_id", "created_date", "created_time", "last_updated_date", "last_updated_time", "sales_staff_id", "counterparty_id", "units_sold", "unit_price", "currency_id", "design_id", "agreed_payment_date", "agreed_delivery_date", "agreed_delivery_location_id"
  from (select *, row_number() over (partition by "sales_order_id" order by _batch) as _nth, row("created_date", "created_time", "last_updated_date", "last_updated_time", "sales_staff_id", "counterparty_id", "units_sold", "unit_price", "currency_id", "design_id", "agreed_payment_date", "agreed_delivery_date", "agreed_delivery_location_id") is distinct from lag(row("created_date", "created_time", "last_updated_date", "last_updated_time", "sales_staff_id", "counterparty_id", "units_sold", "unit_price", "currency_id", "design_id", "agreed_payment_date", "agreed_delivery_date", "agreed_delivery_location_id")) over (partition by "sales_order_id" order by _batch) as _changed
          from live) as seen
 where _nth = 1 or _changed;

create or replace temp view "fact_sales_order_latest" as
with live as (
  select r."sales_order_id" as "sales_order_id", r."created_date" as "created_date", r."created_time" as "created_time", r."last_updated_date" as "last_updated_date", r."last_updated_time" as "last_updated_time", r."sales_staff_id" as "sales_staff_id", r."counterparty_id" as "counterparty_id", r."units_sold" as "units_sold", r."unit_price" as "unit_price", r."currency_id" as "currency_id", r."design_id" as "design_id", r."agreed_payment_date" as "agreed_payment_date", r."agreed_delivery_date" as "agreed_delivery_date", r."agreed_delivery_location_id" as "agreed_delivery_location_id", r."_batch" as "_batch"
    from "etl_rows_fact_sales_order" as r
    left join (select "sales_order_id", max(_batch) as _last from "etl_gone_fact_sales_order" group by "sales_order_id") as g
      on r."sales_order_id" = g."sales_order_id"
   where g._last is null or r._batch > g._last
)
select "sales_order_id", "created_date", "created_time", "last_updated_date", "last_updated_time", "sales_staff_id", "counterparty_id", "units_sold", "unit_price", "currency_id", "design_id", "agreed_payment_date", "agreed_delivery_date", "agreed_delivery_location_id"
  from (select *, row_number() over (partition by "sales_order_id" order by _batch desc) as _nth from live) as newest
 where _nth = 1;

create or replace temp view "etl_problem" as
select 'there are no manifests: it is another place, or nothing has run' as problem, 0 as batch, '' as object_key
  from (select count(*) as n from etl_manifest) as counted where n = 0
union all
select 'its manifest is missing' as problem, n as batch, '' as object_key
  from (select n from (select batch as n from etl_manifest union all select batch from etl_receipt union all select batch from (select unnest(range(first_batch, last_batch + 1)) as batch from etl_compaction) as compacted) as told
         union distinct
        select n - 1 as n from (select batch as n from etl_manifest union all select batch from etl_receipt union all select batch from (select unnest(range(first_batch, last_batch + 1)) as batch from etl_compaction) as compacted) as told where n > 1
         union distinct
        select coalesce(max(batch), 0) + 1 as n from (select batch, kind, committed_at, skipped
          from (select batch, kind, committed_at, skipped, row_number() over (order by batch) as _nth
                  from (select batch, max(kind) as kind, max(committed_at) as committed_at, max(skipped) as skipped
                  from (select batch, kind, committed_at, 0 as skipped from etl_manifest where batch > 0
                         union all
                        select batch, null, null, 1 from etl_receipt where batch > 0 and skipped_why is not null) as named
                 group by batch) as known) as numbered
         where batch = _nth) as in_line) as numbers
 where n > 0 and n not in (select batch from (select batch, max(kind) as kind, max(committed_at) as committed_at, max(skipped) as skipped
          from (select batch, kind, committed_at, 0 as skipped from etl_manifest where batch > 0
                 union all
                select batch, null, null, 1 from etl_receipt where batch > 0 and skipped_why is not null) as named
         group by batch) as known) and n < (select max(n) + 1 from (select batch as n from etl_manifest union all select batch from etl_receipt union all select batch from (select unnest(range(first_batch, last_batch + 1)) as batch from etl_compaction) as compacted) as told)
union all
select 'the compaction that ends with it is missing' as problem, n as batch, '' as object_key
  from (select first_batch - 1 as n from etl_compaction where first_batch > 1) as before_each
 where n not in (select last_batch from etl_compaction)
union all
select 'it is asked for and not there: what is shown ends before it' as problem, as_of as batch, '' as object_key
  from (select coalesce(max(batch), 0) as n, getvariable('as_of') as as_of from (select batch, kind, committed_at, skipped
          from (select batch, kind, committed_at, skipped, row_number() over (order by batch) as _nth
                  from (select batch, max(kind) as kind, max(committed_at) as committed_at, max(skipped) as skipped
                  from (select batch, kind, committed_at, 0 as skipped from etl_manifest where batch > 0
                         union all
                        select batch, null, null, 1 from etl_receipt where batch > 0 and skipped_why is not null) as named
                 group by batch) as known) as numbered
         where batch = _nth) as in_line) as asked
 where n < as_of;
