-- Who owes what, and since when? Receipts of sales that are overdue, by customer and currency, the longest first.
with payment as (
  select distinct on (payment_id) * from fact_payment order by payment_id, payment_record_id desc
), today as (
  select max(last_updated_date) as day from payment
)
select counterparty_id, counterparty_legal_name, currency_code, min(payment_date) as since,
       count(*) as payments, sum(payment_amount) as amount
  from payment cross join today
  join dim_payment_type using (payment_type_id)
  join dim_counterparty using (counterparty_id)
  join dim_currency using (currency_id)
 where not paid and payment_date < day and payment_type_name = 'SALES_RECEIPT'
 group by counterparty_id, counterparty_legal_name, currency_code
 order by since, counterparty_id, currency_code;
