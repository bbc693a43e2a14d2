-- Are payments made on time? Those that are due, by what is paid. A payment's last update is the moment at which it was paid.
-- Today is the newest day on which any payment changed, so that the answer does not move while the shop stands still.
with payment as (
  select distinct on (payment_id) * from fact_payment order by payment_id, payment_record_id desc
), today as (
  select max(last_updated_date) as day from payment
)
select payment_type_name,
       count(*) filter (where paid and last_updated_date <= payment_date) as on_time,
       count(*) filter (where paid and last_updated_date > payment_date) as late,
       count(*) filter (where not paid and payment_date < day) as overdue,
       count(*) filter (where not paid and payment_date >= day) as not_due_yet
  from payment cross join today join dim_payment_type using (payment_type_id)
 group by payment_type_id, payment_type_name
 order by payment_type_id;
