// A real browser, where this machine has one.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { PATIENCE } from "../localstack/support.ts";
import { expect } from "../support/chai.ts";

const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/** Where Chromium is: CHROMIUM says it, or it is where playwright-core or the system puts it. */
export const findChromium = (): string | undefined =>
  process.env["CHROMIUM"] ||
  [chromium.executablePath(), ...PLACES].find((file) => existsSync(file));

/** Starts it, quiet: it speaks to nobody by itself. Its profile is new, and goes with it. */
export const openBrowser = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

/** For a `before`: skips the file, and says why, where there is no browser. */
export async function browserOrSkip(test: Mocha.Context): Promise<Browser> {
  const found = findChromium();
  if (found === undefined) {
    console.log(
      "      no Chromium here: the page is not tried (apt-get install chromium, or set CHROMIUM)",
    );
    test.skip();
  }
  return openBrowser(found!);
}

/** A page and what went wrong on it: errors, and requests that left this machine. */
export interface Tab {
  readonly page: Page;
  readonly problems: string[];
}

export async function openTab(browser: Browser, options: BrowserContextOptions = {}): Promise<Tab> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.hostname !== "127.0.0.1")
      problems.push(`left: ${url.href}`);
  });
  return { page, problems };
}

/** Opens a view anew. */
export async function open({ page }: Tab, url: string): Promise<void> {
  await page.goto("about:blank");
  await page.goto(url);
  await page.waitForSelector(".view");
}

const axe = readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** Fails where axe finds something, or the page is wider than the screen. */
export async function expectUsable({ page, problems }: Tab, where: string): Promise<void> {
  await page.evaluate(await axe);
  const violations = await page.evaluate<Violation[]>(
    "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)",
  );
  const found = violations.map(
    ({ id, nodes: [first] }) => `${where}: ${id}: ${first?.html} ${first?.failureSummary}`,
  );
  const wide = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
  if (wide > 0) found.push(`${where}: ${wide} px wider than the screen`);
  expect([...found, ...problems]).to.deep.equal([]);
}
