import { parse, View, type Spec } from "vega";
import { CHART } from "./scale-report.ts";
import type { Size } from "./scale-model.ts";

/** Colours that also those tell apart who see no red or green; on white. */
const LINES = {
  scan: "#bc4c00",
  ingestion: "#0969da",
  transformation: "#8250df",
  loading: "#1a7f37",
} as const;
const INK = "#1f2328";
const GREY = "#6e7781";

/**
 * Draws how many seconds the scan and each stage take of the busiest ten minutes, by orders a year.
 * @param sizes the smallest first
 * @param tickSeconds what there is
 * @returns SVG
 */
export async function scaleChart(sizes: readonly Size[], tickSeconds: number): Promise<string> {
  const view = new View(parse(specOf(sizes, tickSeconds)), { renderer: "none" });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}

function specOf(sizes: readonly Size[], tickSeconds: number): Spec {
  const values = sizes.flatMap(({ ordersAYear, scanSeconds, seconds }) =>
    Object.entries({ scan: scanSeconds, ...seconds }).map(([what, took]) => ({
      orders: ordersAYear,
      what,
      seconds: took,
    })),
  );
  // A logarithm has no place for none.
  const all = values.map(({ seconds }) => seconds).filter((seconds) => seconds > 0);
  const font = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";
  const axis = { labelFont: font, labelColor: INK, titleFont: font, titleColor: GREY };
  const at = (more: object) => ({
    enter: {
      x: { scale: "orders", field: "orders" },
      y: { scale: "seconds", field: "seconds" },
      ...more,
    },
  });
  return {
    $schema: "https://vega.github.io/schema/vega/v6.json",
    background: "#ffffff",
    padding: 16,
    width: 520,
    height: 300,
    title: {
      text: CHART,
      subtitle: "Seconds; both axes are logarithmic. With changes: timestampOf there is no scan",
      anchor: "start",
      frame: "bounds",
      font,
      color: INK,
      fontSize: 15,
      subtitleFont: font,
      subtitleColor: GREY,
      subtitleFontSize: 12,
      subtitlePadding: 4,
      offset: 20,
    },
    data: [{ name: "times", values: values.filter(({ seconds }) => seconds > 0) }],
    scales: [
      { name: "orders", type: "log", domain: { data: "times", field: "orders" }, range: "width" },
      {
        name: "seconds",
        type: "log",
        domain: [Math.min(...all), Math.max(2 * tickSeconds, ...all)],
        range: "height",
        nice: true,
      },
      {
        name: "what",
        type: "ordinal",
        domain: Object.keys(LINES),
        range: Object.values(LINES),
      },
    ],
    axes: [
      {
        ...axis,
        orient: "bottom",
        scale: "orders",
        title: "orders a year",
        values: sizes.map(({ ordersAYear }) => ordersAYear),
        encode: {
          labels: { update: { text: { signal: "format(datum.value / 1e6, ',') + ' million'" } } },
        },
      },
      {
        ...axis,
        orient: "left",
        scale: "seconds",
        title: "seconds",
        format: "~g",
        tickCount: 5,
        grid: true,
      },
    ],
    marks: [
      {
        type: "group",
        from: { facet: { name: "line", data: "times", groupby: "what" } },
        marks: [
          {
            type: "line",
            from: { data: "line" },
            encode: at({
              stroke: { scale: "what", field: "what" },
              strokeWidth: { value: 2.5 },
            }),
          },
          {
            type: "symbol",
            from: { data: "line" },
            encode: at({ fill: { scale: "what", field: "what" }, size: { value: 36 } }),
          },
        ],
      },
      {
        type: "rule",
        encode: {
          enter: {
            x: { value: 0 },
            x2: { signal: "width" },
            y: { scale: "seconds", value: tickSeconds },
            stroke: { value: INK },
            strokeDash: { value: [4, 3] },
          },
        },
      },
      {
        type: "text",
        encode: {
          enter: {
            x: { value: 6 },
            y: { scale: "seconds", value: tickSeconds, offset: -6 },
            text: { value: "all of the ten minutes" },
            font: { value: font },
            fontSize: { value: 12 },
            fill: { value: INK },
          },
        },
      },
    ],
    legends: [
      {
        stroke: "what",
        symbolType: "stroke",
        symbolStrokeWidth: 3,
        orient: "right",
        labelFont: font,
        labelFontSize: 12,
        labelColor: INK,
      },
    ],
  };
}
