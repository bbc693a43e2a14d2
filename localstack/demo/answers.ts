import type { Database } from "../totesys/source.ts";
import {
  barChart,
  bestSellingDesigns,
  paymentsOnTime,
  salesByMonth,
} from "../totesys/questions.ts";
import type { Terminal } from "../../cli/terminal.ts";

const MONTHS = 12;
const DESIGNS = 6;
const WIDTH = 76;

/** Asks the star three questions of a business, and draws the answers. */
export async function showAnswers(terminal: Terminal, warehouse: Database): Promise<void> {
  const sales = await salesByMonth(warehouse);
  const currencies = new Set(sales.map(({ currency }) => currency));
  const currency = currencies.has("GBP") ? "GBP" : sales[0]?.currency;
  chart(
    terminal,
    `What was sold, in ${currency}, in each month?`,
    sales
      .filter((month) => month.currency === currency)
      .slice(-MONTHS)
      .map(({ month, value }) => ({ label: month, value: Math.round(Number(value)) })),
  );
  terminal.line();
  chart(
    terminal,
    "Of which designs were most units sold?",
    (await bestSellingDesigns(warehouse, { limit: DESIGNS })).map((sold) => ({
      label: `${sold.design} (design ${sold.designId})`,
      value: sold.units,
    })),
  );
  terminal.line();
  chart(
    terminal,
    "Are payments made on time? How many come in and go out:",
    (await paymentsOnTime(warehouse)).map(({ direction, state, payments }) => ({
      label: `${direction}, ${state}`,
      value: payments,
    })),
  );
}

function chart(terminal: Terminal, question: string, bars: Parameters<typeof barChart>[0]): void {
  terminal.line(`  ${question}`);
  terminal.block(barChart(bars, { width: WIDTH }));
}
