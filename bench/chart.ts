import { parse, View, type Mark, type Spec } from "vega";
import { MOST_RATIO, ratioText } from "./budgets.ts";
import type { Measured } from "./figures.ts";
import { ratiosOf } from "./tables.ts";

/** Ink, grey and the two that tell apart; on white, as docs/architecture.svg is. */
const COLOURS = {
  ink: "#1f2328",
  grey: "#6e7781",
  within: "#1a7f37",
  above: "#bc4c00",
  pipe: "#8c959f",
};

/**
 * Draws how long each scenario takes, as a multiple of the pipe, against the budget. undefined where nothing was held
 * against the pipe.
 * @returns SVG
 */
export async function chart(measured: Measured): Promise<string | undefined> {
  const ratios = ratiosOf(measured);
  if (ratios.length === 0) return undefined;
  const view = new View(parse(specOf(measured, ratios)), { renderer: "none" });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}

/** The finding, as a title. */
export function titleOf({ rows }: Measured, ratios: ReturnType<typeof ratiosOf>): string {
  const [, first] = ratios;
  if (!first) return "Nothing was measured";
  const isKept = first.ratio <= MOST_RATIO;
  const orders = first.what === "backfill" ? ` of ${rows.toLocaleString("en-GB")} orders` : "";
  return `${first.what.charAt(0).toUpperCase()}${first.what.slice(1)}${orders}: ${ratioText(first.ratio)} a raw COPY, ${
    isKept ? "within" : "above"
  } the budget of ${MOST_RATIO}×`;
}

function specOf(measured: Measured, ratios: ReturnType<typeof ratiosOf>): Spec {
  const values = ratios.map(({ what, ratio }, i) => ({
    what,
    ratio,
    label: ratioText(ratio),
    colour: i === 0 ? COLOURS.pipe : ratio <= MOST_RATIO ? COLOURS.within : COLOURS.above,
  }));
  const font = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";
  const text = (fontSize: number, fill: string) => ({
    font: { value: font },
    fontSize: { value: fontSize },
    fill: { value: fill },
  });
  const bar = { scale: "what", field: "what" };
  const figure = (more: object): Mark => ({
    type: "text",
    from: { data: "ratios" },
    encode: {
      enter: {
        x: { scale: "ratio", field: "ratio", offset: 6 },
        y: { ...bar, band: 0.5 },
        text: { field: "label" },
        baseline: { value: "middle" },
        fontWeight: { value: "bold" },
        ...text(13, COLOURS.ink),
        ...more,
      },
    },
  });
  return {
    $schema: "https://vega.github.io/schema/vega/v6.json",
    background: "#ffffff",
    padding: 16,
    width: 460,
    height: values.length * 34,
    title: {
      text: titleOf(measured, ratios),
      subtitle: `Time as a multiple of COPY piped into COPY of the same rows; medians. ${measured.date}, commit ${measured.commit}`,
      anchor: "start",
      frame: "bounds",
      font,
      color: COLOURS.ink,
      fontSize: 15,
      subtitleFont: font,
      subtitleColor: COLOURS.grey,
      subtitleFontSize: 12,
      subtitlePadding: 4,
      offset: 28,
    },
    data: [{ name: "ratios", values }],
    scales: [
      {
        name: "ratio",
        type: "linear",
        domain: [0, Math.max(MOST_RATIO * 1.1, ...values.map(({ ratio }) => ratio))],
        range: "width",
      },
      {
        name: "what",
        type: "band",
        domain: { data: "ratios", field: "what" },
        range: "height",
        padding: 0.3,
      },
    ],
    axes: [
      {
        orient: "left",
        scale: "what",
        domain: false,
        ticks: false,
        labelPadding: 10,
        labelFont: font,
        labelFontSize: 13,
        labelColor: COLOURS.ink,
        labelLimit: 0,
      },
    ],
    marks: [
      {
        type: "rect",
        from: { data: "ratios" },
        encode: {
          enter: {
            x: { scale: "ratio", value: 0 },
            x2: { scale: "ratio", field: "ratio" },
            y: bar,
            height: { scale: "what", band: 1 },
            fill: { field: "colour" },
            cornerRadius: { value: 2 },
          },
        },
      },
      {
        type: "rule",
        encode: {
          enter: {
            x: { scale: "ratio", value: MOST_RATIO },
            y: { value: -4 },
            y2: { signal: "height" },
            stroke: { value: COLOURS.ink },
            strokeDash: { value: [4, 3] },
          },
        },
      },
      {
        type: "text",
        encode: {
          enter: {
            x: { scale: "ratio", value: MOST_RATIO },
            y: { value: -9 },
            text: { value: `budget ${MOST_RATIO}×` },
            align: { value: "center" },
            ...text(12, COLOURS.ink),
          },
        },
      },
      // The budget's line must not run through a figure.
      figure({ stroke: { value: "#ffffff" }, strokeWidth: { value: 5 } }),
      figure({}),
    ],
  };
}
