import { readFileSync } from "node:fs";
import path from "node:path";
import { UsageError } from "../cli/options.ts";
import type { PriceName, Prices } from "./cost-model.ts";
import type { PriceList } from "./cost-report.ts";

const here = import.meta.dirname;

/** @throws UsageError where the file lacks a price that bench/prices.json has */
export function readPrices(file: string): PriceList {
  const parse = (from: string): PriceList => JSON.parse(readFileSync(from, "utf8")) as PriceList;
  let prices: PriceList;
  try {
    prices = parse(file);
  } catch (cause) {
    throw new UsageError(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const names = Object.keys(parse(path.join(here, "prices.json")).prices) as PriceName[];
  const missing = names.find((name) => typeof prices.prices?.[name]?.price !== "number");
  if (missing !== undefined) throw new UsageError(`${file} has no price of ${missing}`);
  return prices;
}

/** The prices alone, by name. */
export const pricesIn = ({ prices }: PriceList): Prices =>
  Object.fromEntries(Object.entries(prices).map(([name, { price }]) => [name, price])) as Prices;
