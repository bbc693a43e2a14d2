-- Who sold how much, and in which department? An order counts for whoever has it now: some are handed over.
with sale as (
  select distinct on (sales_order_id) * from fact_sales_order order by sales_order_id, sales_record_id desc
)
select staff_id, first_name, last_name, department_name, count(*) as orders, sum(units_sold) as units
  from sale join dim_staff on staff_id = sales_staff_id
 group by staff_id, first_name, last_name, department_name
 order by units desc, staff_id;
