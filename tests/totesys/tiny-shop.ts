import { newDatabases } from "./databases.ts";

/** Two of everything that matters: what a tiny shop holds. */
const TINY = `
  insert into address values
    (1, '1 Mill Lane', 'Unit 4', 'St. Ann''s', 'Leeds', '00123', 'Democratic People''s Republic of Korea', '0113 1', '2024-01-01', '2024-01-01'),
    (2, '2 Kiln Row', null, null, 'Île-Rousse', 'X', 'Japan', '2', '2024-01-01', '2024-01-01');
  insert into currency values (1, 'GBP', '2024-01-01', '2024-01-01'), (5, 'JPY', '2024-01-01', '2024-01-01'),
    (6, 'CHF', '2024-01-01', '2024-01-01');
  insert into department values (4, 'Dispatch', 'Leds', 'M', '2024-01-01', '2024-01-01'),
    (5, 'Press', null, null, '2024-01-01', '2024-01-01');
  insert into staff values (1, 'Niamh', 'O''Keefe', 4, 'niamh.o''keefe@x.example', '2024-01-01', '2024-01-01'),
    (2, 'Ewa', 'Nowak', 5, 'e@x.example', '2024-01-01', '2024-01-01');
  insert into counterparty values (1, 'Bell, Stone and Co', 1, null, null, '2024-01-01', '2024-01-01');
  insert into design values (1, '2024-01-01', 'Cotton', '/srv', 'c.json', '2024-01-01');
  insert into payment_type values (1, 'SALES_RECEIPT', '2024-01-01', '2024-01-01'),
    (3, 'PURCHASE_PAYMENT', '2024-01-01', '2024-01-01');
  insert into sales_order values
    (1, '2024-02-28 09:05:07.12', '2024-02-28 09:05:07.12', 1, 1, 1, 1000, 2.5, 1, '2024-02-29', '2024-03-01', 2);
  insert into purchase_order values
    (1, '2024-02-28 23:59:59.999', '2024-02-28 23:59:59.999', 2, 1, 'AB12', 3, 7, 5, '2024-12-31', '2024-02-28', 1);
  insert into transaction values (1, 'SALE', 1, null, '2024-02-28 09:05:07.12', '2024-02-28 09:05:07.12'),
    (2, 'PURCHASE', null, 1, '2024-02-28 23:59:59.999', '2024-02-28 23:59:59.999');
  insert into payment values
    (1, '2024-02-28 09:05:07.12', '2024-03-01 07:55:11', 1, 1, 2500, 1, 1, true, '2024-03-01', 11111111, 22222222),
    (2, '2024-02-28 23:59:59.999', '2024-02-28 23:59:59.999', 2, 1, 21, 5, 3, false, '2024-02-28', 33333333, 44444444);`;

/** A database with the tiny shop, and an empty warehouse. */
export async function tinyShop(): ReturnType<typeof newDatabases> {
  const databases = await newDatabases();
  await databases.shop.none(TINY);
  return databases;
}

/** SQL that adds a sales order to the tiny shop, with this delivery date. */
export const delivered = (id: number, day: string): string =>
  `insert into sales_order values (${id}, '2024-02-28', '2024-02-28', 1, 1, 1, 1, 1, 1, '${day}', '2024-03-01', 2);`;
