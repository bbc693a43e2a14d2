-- What is bought from whom? The value of purchase orders by supplier and currency.
with purchase as (
  select distinct on (purchase_order_id) * from fact_purchase_order order by purchase_order_id, purchase_record_id desc
)
select counterparty_id, counterparty_legal_name, currency_code,
       count(*) as orders, sum(item_quantity * item_unit_price) as value
  from purchase
  join dim_counterparty using (counterparty_id)
  join dim_currency using (currency_id)
 group by counterparty_id, counterparty_legal_name, currency_code
 order by counterparty_id, currency_code;
