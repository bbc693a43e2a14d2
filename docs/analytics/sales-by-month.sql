-- What was sold in each month, in each currency? By the day on which an order was made, as the order is now.
with sale as (
  select distinct on (sales_order_id) * from fact_sales_order order by sales_order_id, sales_record_id desc
)
select currency_code, cast(date_trunc('month', created_date) as date) as month,
       count(*) as orders, sum(units_sold) as units, sum(units_sold * unit_price) as value
  from sale join dim_currency using (currency_id)
 group by 1, 2
 order by 1, 2;
