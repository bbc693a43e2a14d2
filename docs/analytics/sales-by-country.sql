-- Where do the totes go? Orders by the country of the address that they are delivered to, in each currency.
with sale as (
  select distinct on (sales_order_id) * from fact_sales_order order by sales_order_id, sales_record_id desc
)
select country, currency_code, count(*) as orders, sum(units_sold * unit_price) as value
  from sale
  join dim_location on location_id = agreed_delivery_location_id
  join dim_currency using (currency_id)
 group by country, currency_code
 order by orders desc, min(location_id), currency_code;
