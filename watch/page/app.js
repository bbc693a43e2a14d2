// Wires address, keys, theme and live events to the views. A view: { title, load, render, mounted?, live? }.
import { listen } from "./api.js";
import { element, place, say } from "./dom.js";
import { openGoTo } from "./go-to.js";
import { readByKey } from "./reading.js";
import { nextTheme, showTheme } from "./theme-button.js";
import { html, icon, int, problem, span, status } from "./ui.js";
import { list as batches, one as batch } from "./views/batches.js";
import * as business from "./views/business.js";
import * as overview from "./views/overview.js";
import * as quarantine from "./views/quarantine.js";
import { one as table, star } from "./views/tables.js";

const NAV = {
  "": "Overview",
  batches: "Batches",
  tables: "Tables",
  quarantine: "Quarantine",
  business: "Business",
};
/** The view of a name, and of one thing in it. */
const VIEWS = {
  "": [overview],
  batches: [batches, batch],
  tables: [star, table],
  quarantine: [quarantine],
  business: [business],
};
const FAVICON = { ok: "2a8a57", warn: "b97a00", bad: "cc3340", idle: "888", busy: "888" };

const main = element("main");
/** What is shown, and what `paint` put there. */
let view;
let painted = {};
let turn = 0;

function address() {
  const [path, query] = location.hash.slice(1).split("?");
  const [, name = "", thing] = path.split("/");
  return {
    name: name in NAV ? name : "",
    thing: thing && decodeURIComponent(thing),
    query: new URLSearchParams(query),
  };
}

async function show() {
  const { name, thing, query } = address();
  const mine = ++turn;
  const isFirst = view === undefined;
  const chosen = (thing && VIEWS[name][1]) || VIEWS[name][0];
  main.ariaBusy = "true";
  const shown = await chosen.load(thing, query).then(
    (data) => ({
      title: chosen.title(data),
      body: chosen.render(data),
      mounted: () => chosen.mounted?.(main, data, query),
    }),
    (error) => ({ title: "No answer", body: problem(error.message) }),
  );
  // A later navigation overtook this one.
  if (mine !== turn) return;
  main.ariaBusy = "false";
  view = shown.mounted ? chosen : null;
  painted = {};
  main.innerHTML = html`<div class="view">${shown.body}</div>`;
  document.title = `${shown.title} · totes watch`;
  for (const link of element("nav").children)
    link.toggleAttribute("aria-current", link.hash === `#/${name}`);
  place();
  shown.mounted?.();
  if (isFirst || query.has("column")) return;
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

/**
 * Replaces a part where its words changed, and gives the focus back to the same link.
 * @param {string} id
 * @param {{ toString(): string }} markup
 */
function paint(id, markup) {
  const part = element(id);
  const text = String(markup);
  if (!part || painted[id] === text) return;
  painted[id] = text;
  const held =
    part.contains(document.activeElement) && document.activeElement?.getAttribute("href");
  const isOpen = part.querySelector("details")?.open;
  part.innerHTML = text;
  place();
  if (isOpen && part.querySelector("details")) part.querySelector("details").open = true;
  if (held) part.querySelector(`[href="${CSS.escape(held)}"]`)?.focus();
}

let verdictStatus;
/**
 * What every view has above it.
 * @param {import("../../src/operations/types.ts").Overview} of
 */
function head({ verdict, quarantined, stack }) {
  element("health").innerHTML = html`${status(verdict.status)}<span>${verdict.short}</span>`;
  element("health").className = `health ${verdict.status}`;
  const badge = element("nav").querySelector(".badge");
  badge.textContent = quarantined ? int(quarantined) : "";
  badge.hidden = !quarantined;
  element("stack").textContent = `Stage ${stack}.`;
  element("favicon").href =
    `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%23${FAVICON[verdict.status]}'/%3E%3C/svg%3E`;
  if (view === overview) document.title = `${verdict.short} · totes watch`;
  // The seconds go on; only a turn for the better or the worse is said.
  if (verdictStatus !== undefined && verdictStatus !== verdict.status) say(verdict.title);
  verdictStatus = verdict.status;
}

document.addEventListener("click", async ({ target }) => {
  const button = /** @type {HTMLElement} */ (target).closest("[data-copy]");
  if (!(button instanceof HTMLElement)) return;
  const isCopied = await navigator.clipboard.writeText(button.dataset.copy ?? "").then(
    () => true,
    () => false,
  );
  button.innerHTML = icon(isCopied ? "ok" : "warn");
  say(isCopied ? "Copied" : "The browser does not let this page copy: select the text instead");
  setTimeout(() => {
    button.innerHTML = icon("copy");
  }, 1500);
});

/** The links that j and k go through: one a row, and the star's nodes. */
const rows = () =>
  [...main.querySelectorAll("tr.row, .node")].flatMap((one) =>
    one.matches(".node") ? [one] : (one.querySelector("a") ?? []),
  );

document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  if (target.matches("input, select, textarea") || readByKey(event)) return;
  const { key } = event;
  const tab = "12345".indexOf(key);
  if (tab >= 0) location.hash = `#/${Object.keys(NAV)[tab]}`;
  else if (key === "/") {
    event.preventDefault();
    openGoTo(NAV);
  } else if (key === "t") nextTheme();
  else if (key === "[") main.querySelector("[data-previous]")?.click();
  else if (key === "]") main.querySelector("[data-next]")?.click();
  else if (key === "j" || key === "k") {
    const links = rows();
    const at = links.indexOf(document.activeElement) + (key === "j" ? 1 : -1);
    links[Math.max(0, Math.min(links.length - 1, at))]?.focus();
  }
});

element("nav").innerHTML = html`${Object.entries(NAV).map(
  ([id, name]) =>
    html`<a href="#/${id}"
      >${name}${id === "quarantine" && html`<span class="badge" hidden></span>`}</a
    >`,
)}`;
element("find").addEventListener("click", () => openGoTo(NAV));
element("theme").addEventListener("click", nextTheme);
addEventListener("hashchange", show);
showTheme();
await show();

let lostAt;
listen((name, data) => {
  if (name === "lost" || name === "found") {
    if (name === "found" && lostAt && view === null) void show();
    lostAt = name === "lost" ? (lostAt ?? new Date()) : undefined;
    element("lost").hidden = !lostAt;
    element("lost").textContent = lostAt
      ? `totes watch does not answer. What you see is from ${lostAt.toISOString().slice(11, 19)} UTC. Start it again: npx totes watch`
      : "";
    return;
  }
  if (name === "overview") head(data);
  view?.live?.(name, data, paint);
});
setInterval(() => {
  for (const time of document.querySelectorAll("time")) {
    const text = `${span((Date.now() - Date.parse(time.dateTime)) / 1000)} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}, 1000);
