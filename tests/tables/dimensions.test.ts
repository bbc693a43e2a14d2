import { expect } from "../support/chai.ts";
import { format } from "../support/format.ts";

const stamps = { created_at: "2022-11-03T14:20:49.962", last_updated: "2022-11-03T14:20:49.962" };
const address = {
  address_id: 7,
  address_line_1: "1 High Road",
  address_line_2: "Flat 2",
  district: null,
  city: "Leeds",
  postal_code: "LS1 1AA",
  country: "Democratic People's Republic of Korea",
  phone: "1803 637401",
  ...stamps,
};

describe("dim_staff", () => {
  const staff = {
    staff_id: 12,
    first_name: "Pat",
    last_name: "O'Keefe",
    department_id: 4,
    email_address: "pat.o'keefe@terrifictotes.com",
    ...stamps,
  };
  const department = {
    department_id: 4,
    department_name: "Finance",
    location: "Leds",
    manager: null,
  };

  it("folds the department's name and location into the row, typos and apostrophes as they are", async () => {
    const { rows } = await format("dim_staff", { staff: [staff] }, { department: [department] });
    expect(rows).to.deep.equal([
      {
        staff_id: "12",
        first_name: "Pat",
        last_name: "O'Keefe",
        department_name: "Finance",
        location: "Leds",
        email_address: "pat.o'keefe@terrifictotes.com",
      },
    ]);
  });

  it("shows a department without a location as Unknown", async () => {
    const nowhere = { ...department, location: null };
    const { rows } = await format("dim_staff", { staff: [staff] }, { department: [nowhere] });
    expect(rows[0]!["location"]).to.equal("Unknown");
  });

  it("quarantines a member of staff whose department is not there, with the key that was not found", async () => {
    const { rows, rejected } = await format("dim_staff", { staff: [staff] });
    expect(rows).to.deep.equal([]);
    expect(rejected).to.deep.equal([
      {
        table: "dim_staff",
        source: "staff",
        key: 12,
        reason:
          "lookup department: department has no row with department_id = 4 (staff.department_id)",
        row: staff,
      },
    ]);
  });
});

describe("dim_location", () => {
  it("keeps line 2 for what it is, not line 1 again", async () => {
    const { rows } = await format("dim_location", { address: [address] });
    expect(rows).to.deep.equal([
      {
        location_id: "7",
        address_line_1: "1 High Road",
        address_line_2: "Flat 2",
        district: null,
        city: "Leeds",
        postal_code: "LS1 1AA",
        country: "Democratic People's Republic of Korea",
        phone: "1803 637401",
      },
    ]);
  });
});

describe("dim_counterparty", () => {
  it("folds the legal address into the row, each part under its own name", async () => {
    const counterparty = {
      counterparty_id: 3,
      counterparty_legal_name: "Leannon, Predovic and Morar",
      legal_address_id: 7,
      commercial_contact: null,
      delivery_contact: null,
      ...stamps,
    };
    const { rows } = await format(
      "dim_counterparty",
      { counterparty: [counterparty] },
      { address: [address] },
    );
    expect(rows).to.deep.equal([
      {
        counterparty_id: "3",
        counterparty_legal_name: "Leannon, Predovic and Morar",
        counterparty_legal_address_line_1: "1 High Road",
        counterparty_legal_address_line_2: "Flat 2",
        counterparty_legal_district: null,
        counterparty_legal_city: "Leeds",
        counterparty_legal_postal_code: "LS1 1AA",
        counterparty_legal_country: "Democratic People's Republic of Korea",
        counterparty_legal_phone_number: "1803 637401",
      },
    ]);
  });
});

describe("dim_currency", () => {
  const names = {
    GBP: "Pound Sterling",
    USD: "US Dollar",
    EUR: "Euro",
    JPY: "Yen",
    CHF: "Swiss Franc",
  };
  for (const [code, name] of Object.entries(names))
    it(`names ${code} as ISO 4217 does: ${name}`, async () => {
      const row = { currency_id: 1, currency_code: code, ...stamps };
      const { rows } = await format("dim_currency", { currency: [row] });
      expect(rows).to.deep.equal([{ currency_id: "1", currency_code: code, currency_name: name }]);
    });

  for (const code of ["XQZ", "gbp", "", "GB"])
    it(`quarantines a code that is not in the list: "${code}"`, async () => {
      const row = { currency_id: 9, currency_code: code, ...stamps };
      const { rows, rejected } = await format("dim_currency", { currency: [row] });
      expect(rows).to.deep.equal([]);
      expect(rejected[0]).to.deep.include({
        key: 9,
        reason: `currency_code "${code}" is not in ISO 4217`,
      });
    });
});

describe("dim_date", () => {
  const dated = (date: string) => ({
    payment_id: 1,
    paid: false,
    payment_date: date,
    created_at: `${date}T00:00:00`,
    last_updated: `${date}T23:59:59.999`,
  });
  const days: [string, object][] = [
    [
      "2023-11-06",
      {
        year: "2023",
        month: "11",
        day: "6",
        day_of_week: "1",
        day_name: "Monday",
        month_name: "November",
        quarter: "4",
      },
    ],
    [
      "2023-11-05",
      {
        year: "2023",
        month: "11",
        day: "5",
        day_of_week: "7",
        day_name: "Sunday",
        month_name: "November",
        quarter: "4",
      },
    ],
    [
      "2024-02-29",
      {
        year: "2024",
        month: "2",
        day: "29",
        day_of_week: "4",
        day_name: "Thursday",
        month_name: "February",
        quarter: "1",
      },
    ],
    [
      "2024-04-01",
      {
        year: "2024",
        month: "4",
        day: "1",
        day_of_week: "1",
        day_name: "Monday",
        month_name: "April",
        quarter: "2",
      },
    ],
    [
      "0001-01-01",
      {
        year: "1",
        month: "1",
        day: "1",
        day_of_week: "1",
        day_name: "Monday",
        month_name: "January",
        quarter: "1",
      },
    ],
    [
      "9999-12-31",
      {
        year: "9999",
        month: "12",
        day: "31",
        day_of_week: "5",
        day_name: "Friday",
        month_name: "December",
        quarter: "4",
      },
    ],
  ];
  for (const [date, facts] of days)
    it(`knows ${date}`, async () => {
      const { rows } = await format("dim_date", { payment: [dated(date)] });
      expect(rows).to.deep.equal([{ date_id: date, ...facts }]);
    });

  it("has each day of an order and of a payment, once", async () => {
    const order = {
      sales_order_id: 1,
      agreed_delivery_date: "2022-11-10",
      agreed_payment_date: "2022-11-05",
      created_at: "2022-11-03T14:20:52.186",
      last_updated: "2022-11-04T14:20:52.186",
    };
    const { rows, rejected } = await format("dim_date", {
      sales_order: [order],
      payment: [{ ...dated("2022-11-05"), last_updated: "2022-11-06T07:55:00" }],
    });
    expect(rows.map((row) => row["date_id"])).to.have.members([
      "2022-11-03",
      "2022-11-04",
      "2022-11-05",
      "2022-11-06",
      "2022-11-10",
    ]);
    expect(rejected).to.deep.equal([]);
  });

  it("leaves out what is no day: the fact's own row is what reports it", async () => {
    const order = {
      sales_order_id: 1,
      agreed_delivery_date: "2024-02-30",
      agreed_payment_date: "30/06/2024",
      created_at: "2022-11-03T14:20:52.186",
      last_updated: "infinity",
    };
    const { rows, rejected } = await format("dim_date", { sales_order: [order] });
    expect(rows.map((row) => row["date_id"])).to.deep.equal(["2022-11-03"]);
    expect(rejected).to.deep.equal([]);
    const early = {
      ...order,
      agreed_payment_date: "0000-05-06",
      last_updated: "0044-03-15T12:00:00 BC",
    };
    expect(await format("dim_date", { sales_order: [early] })).to.deep.equal({
      rows,
      rejected: [],
    });
  });
});

describe("dim_design, dim_payment_type and dim_transaction", () => {
  it("show their source's columns", async () => {
    const design = {
      design_id: 1,
      design_name: "Wooden",
      file_location: "/lib",
      file_name: "wooden-20201128-jdvi.json",
      ...stamps,
    };
    expect((await format("dim_design", { design: [design] })).rows).to.deep.equal([
      {
        design_id: "1",
        design_name: "Wooden",
        file_location: "/lib",
        file_name: "wooden-20201128-jdvi.json",
      },
    ]);
    const type = { payment_type_id: 3, payment_type_name: "PURCHASE_PAYMENT", ...stamps };
    expect((await format("dim_payment_type", { payment_type: [type] })).rows).to.deep.equal([
      { payment_type_id: "3", payment_type_name: "PURCHASE_PAYMENT" },
    ]);
    const transaction = {
      transaction_id: 5,
      transaction_type: "PURCHASE",
      sales_order_id: null,
      purchase_order_id: 2,
      ...stamps,
    };
    expect((await format("dim_transaction", { transaction: [transaction] })).rows).to.deep.equal([
      {
        transaction_id: "5",
        transaction_type: "PURCHASE",
        sales_order_id: null,
        purchase_order_id: "2",
      },
    ]);
  });
});
