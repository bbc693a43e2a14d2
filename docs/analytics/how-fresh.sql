-- How far does the star reach? The newest moment at which the shop says that it changed a row of each fact.
select 'sales orders' as what, max(last_updated_date + last_updated_time) as newest, count(distinct sales_order_id) as records, count(*) as versions
  from fact_sales_order
union all
select 'purchase orders', max(last_updated_date + last_updated_time), count(distinct purchase_order_id), count(*)
  from fact_purchase_order
union all
select 'payments', max(last_updated_date + last_updated_time), count(distinct payment_id), count(*)
  from fact_payment
 order by what;
