import cliProgress from "cli-progress";
import Table from "cli-table3";
import ora, { type Ora } from "ora";
import { createColors } from "picocolors";
import { whole } from "../src/words.ts";

/** Where the text goes: a terminal, a pipe, a file. */
export type Output = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
};

/** Columns: of whatever has none of its own, and what text is fitted to at least and at most. */
const WIDTH = { usual: 80, least: 40, most: 100 } as const;
/** Between a field's name and its text. */
const INDENT = 14;

/** The columns that text for an output has room in. */
export const widthOf = ({ isTTY, columns }: Output): number =>
  isTTY && columns ? Math.max(WIDTH.least, Math.min(WIDTH.most, columns)) : WIDTH.usual;

/** Text for a person, as wide as the terminal is; with colours and motion on a terminal alone, and not where NO_COLOR is set. */
export class Terminal {
  readonly #output: Output;
  readonly #isLively: boolean;
  readonly #colours: ReturnType<typeof createColors>;
  #isSilent = false;
  #moving: { stop(): unknown } | undefined;

  /** @param options isPlain: no colours and no motion, whatever the output is */
  constructor(output: Output, { isPlain = false }: { readonly isPlain?: boolean } = {}) {
    this.#output = output;
    const { NO_COLOR, TERM } = process.env;
    // A terminal that does not know its width has 0 columns: ora would clear lines for ever.
    this.#isLively =
      output.isTTY === true && !!output.columns && !NO_COLOR && TERM !== "dumb" && !isPlain;
    this.#colours = createColors(this.#isLively);
  }

  /** Columns that text is fitted to. */
  get width(): number {
    return widthOf(this.#output);
  }

  /** A line as it is, or an empty one. */
  line(text = ""): void {
    this.#put(printable(text));
  }

  /** @param line colours may be in it */
  #put(line: string): void {
    if (!this.#isSilent) this.#output.write(`${line}\n`);
  }

  /** A heading, after an empty line. */
  heading(text: string): void {
    this.line();
    for (const line of wrap(text, this.width)) this.#put(this.#colours.bold(line));
  }

  /** A name and what there is to say about it, wrapped. */
  field(name: string, text: string): void {
    this.#field(2, name, INDENT - 3, text);
  }

  #field(indent: number, name: string, nameWidth: number, text: string): void {
    const begin = indent + Math.max(name.length, nameWidth) + 1;
    const [first = "", ...rest] = wrap(text, this.width - begin);
    const lead = this.#colours.cyan(printable(name).padEnd(nameWidth));
    this.#put(`${" ".repeat(indent)}${lead} ${first}`);
    for (const line of rest) this.line(" ".repeat(indent + nameWidth + 1) + line);
  }

  /** One of many, after its lead: wrapped on a terminal, with the rest below where it began; a line on a pipe, for grep. */
  item(text: string, lead = ""): void {
    const begin = 2 + lead.length;
    const width = this.#output.isTTY ? this.width - begin : Infinity;
    const [first = "", ...rest] = wrap(text, width);
    this.line(`  ${lead}${first}`);
    for (const line of rest) this.line(" ".repeat(begin) + line);
  }

  /** A paragraph, wrapped. */
  paragraph(text: string): void {
    for (const line of wrap(text, this.width - 2)) this.line(`  ${line}`);
  }

  /** A paragraph that nobody may overlook. */
  alarm(text: string): void {
    for (const line of wrap(text, this.width - 2)) this.#put(`  ${this.#colours.red(line)}`);
  }

  /** Rows under a head; the first column to the left, the others to the right. Row by row where a terminal is too narrow. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    const fits = (lines: readonly string[]): boolean =>
      !this.#output.isTTY || lines.every((line) => line.length + 2 <= this.width);
    const fitting = GAPS.map((gap) => tableLines(head, rows, gap)).find(fits);
    if (fitting === undefined) {
      this.#rows(head, rows);
      return;
    }
    const [first = "", ...lines] = fitting;
    this.#put(`  ${this.#colours.dim(first)}`);
    for (const line of lines) this.line(`  ${line.trimEnd()}`);
  }

  /** A table's rows, one below the other. */
  #rows(head: readonly string[], rows: readonly (readonly string[])[]): void {
    const nameWidth = Math.max(...head.slice(1).map((name) => name.length));
    for (const [first = "", ...cells] of rows) {
      this.#put(`  ${this.#colours.bold(printable(first))}`);
      for (const [column, cell] of cells.entries())
        this.#field(4, head[column + 1]!, nameWidth, cell);
    }
  }

  /** Text of several lines, as it is but for an indent. */
  block(text: string): void {
    for (const line of text.split("\n")) this.line(`  ${line}`);
  }

  /** Shows that something is under way while `work` runs; `work` may say what it is at. */
  async working<T>(text: string, work: (now: (text: string) => void) => Promise<T>): Promise<T> {
    if (!this.#isLively || this.#isSilent) return work(() => undefined);
    const spinner: Ora = ora({
      text,
      indent: 2,
      stream: this.#output,
      // Ctrl-C must stay a signal.
      discardStdin: false,
    }).start();
    return this.#while(spinner, () => work((now) => void (spinner.text = now)));
  }

  /** A bar that fills as `work` tells how many of `total` are done; without motion, a line every few seconds. */
  async progress<T>(
    total: number,
    noun: string,
    work: (done: (count: number) => void) => Promise<T>,
  ): Promise<T> {
    if (!this.#isLively || this.#isSilent) {
      let said = performance.now();
      return work((count) => {
        if (performance.now() - said < 5_000) return;
        said = performance.now();
        this.line(`  ${whole(count)} of ${whole(total)} ${noun}`);
      });
    }
    const words = `   ${whole(total)} of ${whole(total)} ${noun} `;
    const bar = new cliProgress.SingleBar({
      format: `  {bar} {value} of {total} ${noun}`,
      formatValue: (value, _options, type) => (type === "percentage" ? `${value}` : whole(value)),
      barsize: Math.max(4, Math.min(30, this.width - words.length)),
      barCompleteChar: "█",
      barIncompleteChar: "░",
      hideCursor: true,
      clearOnComplete: true,
      // Its way out of a signal would be the only one.
      gracefulExit: false,
      stream: this.#output,
    });
    bar.start(total, 0);
    return this.#while(bar, () => work((count) => bar.update(count)));
  }

  /** Says nothing more: what follows is of no interest to anybody. */
  silence(): void {
    this.calm();
    this.#isSilent = true;
  }

  /** Ends what moves, so that the next line stands alone. */
  calm(): void {
    this.#moving?.stop();
    this.#moving = undefined;
  }

  async #while<T>(moving: { stop(): unknown }, work: () => Promise<T>): Promise<T> {
    this.#moving = moving;
    try {
      return await work();
    } finally {
      this.calm();
    }
  }
}

/** Between a table's columns: as it is usually, and where it would not fit. */
const GAPS = ["   ", "  "] as const;

function tableLines(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  gap: string,
): string[] {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, column) => (column === 0 ? "left" : "right")),
    chars: Object.fromEntries(BORDERS.map((name) => [name, name === "middle" ? gap : ""])),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(...rows.map((row) => row.map(printable)));
  return table.toString().split("\n");
}

const BORDERS = [
  "top",
  "top-mid",
  "top-left",
  "top-right",
  "bottom",
  "bottom-mid",
  "bottom-left",
  "bottom-right",
  "left",
  "left-mid",
  "mid",
  "mid-mid",
  "right",
  "right-mid",
  "middle",
] as const;

/**
 * Without what a terminal would obey, or would show in another order: a text may be what somebody wrote into a row, or called
 * a session. Lines and tabs stay.
 */
export const printable = (text: string): string =>
  text.replaceAll(/(?![\n\t])\p{Cc}|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");

/** Lines of at most `width` characters, broken at blanks, of which none is lost within a line; a longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of printable(text.replaceAll(/[^\S ]+/g, " ")).split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

export { counted, listed, seconds, size, whole } from "../src/words.ts";
