import { expect } from "../support/chai.ts";
import { format } from "../support/format.ts";

const stamps = { created_at: "2022-11-03T14:20:52.186", last_updated: "2022-11-07T07:55:11.8" };
const stamped = {
  created_date: "2022-11-03",
  created_time: "14:20:52.186000",
  last_updated_date: "2022-11-07",
  last_updated_time: "07:55:11.800000",
};
const sales_order = {
  sales_order_id: 1,
  design_id: 9,
  staff_id: 16,
  counterparty_id: 18,
  units_sold: 84754,
  unit_price: "2.43",
  currency_id: 3,
  agreed_delivery_date: "2022-11-10",
  agreed_payment_date: "2022-11-05",
  agreed_delivery_location_id: 4,
  ...stamps,
};

describe("fact_sales_order", () => {
  it("shows an order under the star's names, milliseconds kept", async () => {
    const { rows } = await format("fact_sales_order", { sales_order: [sales_order] });
    expect(rows).to.deep.equal([
      {
        sales_order_id: "1",
        ...stamped,
        sales_staff_id: "16",
        counterparty_id: "18",
        units_sold: "84754",
        unit_price: "2.43",
        currency_id: "3",
        design_id: "9",
        agreed_payment_date: "2022-11-05",
        agreed_delivery_date: "2022-11-10",
        agreed_delivery_location_id: "4",
      },
    ]);
  });

  const bad: [string, object, string][] = [
    [
      "a day that is not in the calendar",
      { agreed_delivery_date: "2024-02-30" },
      "agreed_delivery_date: ",
    ],
    ["an empty date", { agreed_payment_date: "" }, "agreed_payment_date: "],
    ["a date in another order", { agreed_payment_date: "30/06/2024" }, "agreed_payment_date: "],
    ["infinity as a date", { agreed_delivery_date: "infinity" }, "agreed_delivery_date: "],
    ["an infinite timestamp", { created_at: "infinity" }, "created_date: "],
    ["a year beyond 9999", { last_updated: "10000-01-01T00:00:00" }, "last_updated_date: "],
    ["money that is NaN", { unit_price: "NaN" }, "unit_price: "],
    ["money with a third decimal", { unit_price: "2.435" }, "unit_price: "],
    ["money beyond its digits", { unit_price: "123456789.00" }, "unit_price: "],
  ];
  for (const [what, change, reason] of bad)
    it(`quarantines ${what}`, async () => {
      const row = { ...sales_order, ...change };
      const { rows, rejected } = await format("fact_sales_order", { sales_order: [row] });
      expect(rows).to.deep.equal([]);
      expect(rejected).to.have.length(1);
      expect(rejected[0]!.reason.startsWith(reason), rejected[0]!.reason).to.equal(true);
      expect(rejected[0]).to.deep.include({ table: "fact_sales_order", key: 1, row });
    });
});

describe("fact_purchase_order", () => {
  it("shows an order under the star's names", async () => {
    const purchase_order = {
      purchase_order_id: 2,
      staff_id: 20,
      counterparty_id: 17,
      item_code: "QLZLEXR",
      item_quantity: 286,
      item_unit_price: "199.04",
      currency_id: 2,
      agreed_delivery_date: "2022-11-04",
      agreed_payment_date: "2022-11-07",
      agreed_delivery_location_id: 8,
      ...stamps,
    };
    const { rows } = await format("fact_purchase_order", { purchase_order: [purchase_order] });
    expect(rows).to.deep.equal([
      {
        purchase_order_id: "2",
        ...stamped,
        staff_id: "20",
        counterparty_id: "17",
        item_code: "QLZLEXR",
        item_quantity: "286",
        item_unit_price: "199.04",
        currency_id: "2",
        agreed_delivery_date: "2022-11-04",
        agreed_payment_date: "2022-11-07",
        agreed_delivery_location_id: "8",
      },
    ]);
  });
});

describe("fact_payment", () => {
  const payment = {
    payment_id: 1,
    transaction_id: 1,
    counterparty_id: 17,
    payment_amount: "56925.4",
    currency_id: 2,
    payment_type_id: 3,
    paid: true,
    payment_date: "2022-11-07",
    company_ac_number: 52923196,
    counterparty_ac_number: 32957646,
    ...stamps,
  };

  it("shows a payment without the account numbers", async () => {
    const { rows } = await format("fact_payment", { payment: [payment] });
    expect(rows).to.deep.equal([
      {
        payment_id: "1",
        ...stamped,
        transaction_id: "1",
        counterparty_id: "17",
        payment_amount: "56925.40",
        currency_id: "2",
        payment_type_id: "3",
        paid: "t",
        payment_date: "2022-11-07",
      },
    ]);
  });

  it("does not mind an odd value that no star table shows", async () => {
    const odd = { ...payment, company_ac_number: null };
    expect((await format("fact_payment", { payment: [odd] })).rejected).to.deep.equal([]);
  });
});
