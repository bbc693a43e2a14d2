// Charts as SVG. Their geometry is in attributes, so that no inline style is needed.
import { html } from "./markup.js";

/** The next round number. */
function ceiling(max) {
  const unit = 10 ** Math.floor(Math.log10(max || 1));
  return unit * ([1, 2, 3, 4, 5, 6, 8].find((step) => step * unit >= max) ?? 10);
}

/** The same for an axis in seconds: its half is round too. */
export const roundSeconds = (max) =>
  [10, 20, 40, 60, 120, 240, 600, 1200, 2400, 3600, 7200].find((step) => step >= max) ??
  Math.ceil(max / 7200) * 7200;

/** Round steps of an axis that goes to `max`: at most five. */
export function ticks(max) {
  const step = ceiling(max / 4.99);
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => i * step);
}

/**
 * A chart that reads out one of its points; a slider to assistive tools.
 *
 * @param {object} of
 * @param {string} of.label
 * @param {{ name: string, value: number, text: string }[]} of.points
 * @param {"line" | "bars"} [of.kind]
 * @param {number} [of.height] in pixels, without the axis
 * @param {(value: number) => string} of.format
 * @param {[string, string]} of.ends what stands below the first point and the last
 * @param {{ value: number, label: string }} [of.mark] a line across
 * @param {(max: number) => number} [of.nice] where the axis ends
 */
export function chart({
  label,
  points,
  kind = "line",
  height = 120,
  format,
  ends,
  mark,
  nice = ceiling,
}) {
  const max = nice(Math.max(1, ...points.map((p) => p.value)));
  const n = points.length;
  const last = points[n - 1];
  const y = (value) => 100 - (value / max) * 100;
  const x = (i) => (kind === "bars" ? ((i + 0.5) / n) * 100 : (i / Math.max(1, n - 1)) * 100);
  const read = points.map((p, i) => [`${p.name}: ${p.text}`, x(i)]);
  const isMarked = mark && mark.value < max;
  return html`<div
    class="chart"
    role="slider"
    tabindex="0"
    aria-label="${label}"
    aria-valuemin="0"
    aria-valuemax="${n - 1}"
    aria-valuenow="${n - 1}"
    aria-valuetext="${last.name}: ${last.text}"
    data-points="${JSON.stringify(read)}"
  >
    <svg class="plot" height="${height + 18}" aria-hidden="true">
      <line class="grid" x2="100%" y1="${height / 2 + 0.5}" y2="${height / 2 + 0.5}" />
      <line class="grid" x2="100%" y1=".5" y2=".5" />
      <line class="base" x2="100%" y1="${height - 0.5}" y2="${height - 0.5}" />
      <svg
        viewBox="0 0 100 100"
        preserveAspectRatio="none"
        height="${height}"
        width="100%"
        class="${kind}"
      >
        ${kind === "bars" ? barsOf(points, y) : lineOf(points, x, y)}
        ${isMarked && html`<path class="mark" d="M0 ${y(mark.value)}H100" />`}
      </svg>
      ${
        isMarked &&
        html`<text class="tick mark-name" x="2" y="${(y(mark.value) / 100) * height - 5}">
          ${mark.label}
        </text>`
      }
      <text class="tick" x="100%" dx="8" y="5">${format(max)}</text>
      <text class="tick" x="100%" dx="8" y="${height / 2 + 4}">${format(max / 2)}</text>
      <line class="cross" y1="0" y2="${height}" x1="0" x2="0" />
      <text class="tick" x="0" y="${height + 14}">${ends[0]}</text>
      <text class="tick" x="100%" y="${height + 14}" text-anchor="end">${ends[1]}</text></svg
    ><output class="readout" aria-hidden="true"></output>
  </div>`;
}

const barsOf = (points, y) =>
  points.map(
    ({ value }, i) =>
      html`<rect
        x="${(((i + 0.12) / points.length) * 100).toFixed(2)}"
        y="${y(value).toFixed(2)}"
        width="${(76 / points.length).toFixed(2)}"
        height="${(100 - y(value)).toFixed(2)}"
      />`,
  );

function lineOf(points, x, y) {
  const path = points
    .map(({ value }, i) => `${i ? "L" : "M"}${x(i).toFixed(2)} ${y(value).toFixed(2)}`)
    .join("");
  return html`<path class="area" d="${path}L100 100L0 100Z" /><path class="stroke" d="${path}" />`;
}

/** A line the height of a text; `nothing` where there are no points. */
export function spark(points, label, nothing) {
  if (points.length === 0) return html`<span class="soft">${nothing}</span>`;
  const values = points.map((p) => p.value);
  const low = Math.min(...values);
  const range = Math.max(...values) - low;
  const y = (value) => (range === 0 ? 12 : 22 - ((value - low) / range) * 20);
  const x = (i) => (i / Math.max(1, values.length - 1)) * 100;
  const path = values
    .map((value, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`)
    .join("");
  return html`<svg
    class="spark"
    viewBox="0 0 100 24"
    preserveAspectRatio="none"
    role="img"
    aria-label="${label}"
  >
    <path d="${path}${values.length === 1 ? "H100" : ""}" />
  </svg>`;
}

/**
 * One bar of several parts.
 *
 * @param {{ at: number, width: number, class: string, title: string }[]} parts in percent
 * @param {object} [of]
 * @param {number} [of.height] in pixels
 * @param {string} [of.label] what it says, where nothing beside it does
 * @param {number[]} [of.lines] of the axis, in percent
 */
export const bar = (parts, { height = 10, label = "", lines = [] } = {}) =>
  html`<svg
    class="bar-row"
    width="100%"
    height="${height}"
    ${label ? html`role="img" aria-label="${label}"` : html`aria-hidden="true"`}
  >
    ${lines.map((at) => html`<line class="grid" x1="${at}%" x2="${at}%" y1="-6" y2="${height + 6}" />`)}${parts.map(
      (part) =>
        html`<rect
          class="${part.class}"
          x="${part.at.toFixed(2)}%"
          width="${Math.max(part.width, 0.35).toFixed(2)}%"
          height="${height}"
          rx="1.5"
        >
          <title>${part.title}</title>
        </rect>`,
    )}
  </svg>`;
