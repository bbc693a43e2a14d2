-- Which ten designs sell best? By totes sold, which may be added whatever they were paid in.
with sale as (
  select distinct on (sales_order_id) * from fact_sales_order order by sales_order_id, sales_record_id desc
)
select design_id, design_name, file_name, count(*) as orders, sum(units_sold) as units
  from sale join dim_design using (design_id)
 group by design_id, design_name, file_name
 order by units desc, design_id
 limit 10;
