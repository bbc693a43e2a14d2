// The lines between facts and dimensions, and which of them belong to the table under the pointer or the focus.
/** @import { TableSummary } from "../../src/operations/types.ts" */
import { element } from "./dom.js";
import { html } from "./markup.js";

/**
 * Draws them, and draws them again when the picture changes its size.
 * @param {HTMLElement} frame
 * @param {readonly TableSummary[]} tables
 */
export function drawEdges(frame, tables) {
  const svg = /** @type {SVGSVGElement} */ (frame.querySelector("svg"));
  const facts = tables.filter(({ kind }) => kind === "fact");
  const edges = facts.flatMap(({ name, references }) =>
    references.flatMap((to) => (element(`node-${to}`) ? { from: name, to } : [])),
  );

  const draw = () => {
    if (!frame.isConnected) return;
    const origin = frame.getBoundingClientRect();
    const box = (name) => {
      const { left, right, top, height } = element(`node-${name}`).getBoundingClientRect();
      const y = top - origin.top + height / 2;
      return { left: left - origin.left, right: right - origin.left, y, height };
    };
    const isLeft = ({ from, to }) => box(to).left < box(from).left;
    /** Where an edge leaves its fact, so that those of one side do not cross there. */
    const slot = (edge) => {
      const same = edges
        .filter((other) => other.from === edge.from && isLeft(other) === isLeft(edge))
        .toSorted((a, b) => box(a.to).y - box(b.to).y);
      return (same.indexOf(edge) + 1) / (same.length + 1) - 0.5;
    };
    svg.innerHTML = html`${edges.map((edge) => {
      const from = box(edge.from);
      const to = box(edge.to);
      const [x1, x2] = isLeft(edge) ? [from.left, to.right] : [from.right, to.left];
      const y1 = from.y + slot(edge) * from.height * 0.7;
      const bend = (x2 - x1) / 2;
      return html`<path
        data-from="${edge.from}"
        data-to="${edge.to}"
        d="M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${to.y} ${x2} ${to.y}"
      />`;
    })}`;
  };

  const light = ({ target }) => {
    const name = target.closest?.(".node")?.id.slice("node-".length);
    const near = new Set([name]);
    for (const path of /** @type {NodeListOf<SVGPathElement>} */ (svg.querySelectorAll("path"))) {
      const { from, to } = path.dataset;
      const isOn = from === name || to === name;
      path.classList.toggle("on", isOn);
      if (isOn) near.add(from).add(to);
    }
    for (const one of frame.querySelectorAll(".node"))
      one.classList.toggle("far", name !== undefined && !near.has(one.id.slice("node-".length)));
  };
  for (const type of ["pointerover", "focusin"]) frame.addEventListener(type, light);
  for (const type of ["pointerleave", "focusout"])
    frame.addEventListener(type, () => light({ target: frame }));
  new ResizeObserver(draw).observe(frame);
}
