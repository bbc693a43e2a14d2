-- What was changed in sales orders after they were made? One row a column that changed, from version to version. The shop itself
-- cannot tell: it keeps no history.
with version as (
  select *, row_number() over record as version,
         lag(sales_staff_id) over record as staff_before,
         lag(design_id) over record as design_before,
         lag(units_sold) over record as units_before,
         lag(agreed_delivery_date) over record as day_before,
         lag(agreed_delivery_location_id) over record as address_before
    from fact_sales_order
  window record as (partition by sales_order_id order by sales_record_id)
), change as (
  select sales_order_id, version, 1 as place, 'member of staff' as what,
         cast(staff_before as varchar) as was, cast(sales_staff_id as varchar) as became from version
  union all
  select sales_order_id, version, 2, 'design', cast(design_before as varchar), cast(design_id as varchar) from version
  union all
  select sales_order_id, version, 3, 'units', cast(units_before as varchar), cast(units_sold as varchar) from version
  union all
  select sales_order_id, version, 4, 'delivery day', cast(day_before as varchar), cast(agreed_delivery_date as varchar)
    from version
  union all
  select sales_order_id, version, 5, 'delivery address',
         cast(address_before as varchar), cast(agreed_delivery_location_id as varchar) from version
)
select sales_order_id, version, what, was, became
  from change
 where version > 1 and was <> became
 order by sales_order_id, version, place;
