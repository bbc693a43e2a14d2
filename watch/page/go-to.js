// Go to: a number is a batch; words are views, tables and columns.
import { get } from "./api.js";
import { element } from "./dom.js";
import { html, int } from "./ui.js";

const SHOWN = 8;
/** Tables and columns, once they were asked for. */
let index;

async function readIndex() {
  const summaries = await get("/api/tables").catch(() => []);
  const tables = await Promise.all(
    summaries.map(({ name }) => get(`/api/tables/${name}`).catch(() => null)),
  );
  return tables.filter(Boolean).flatMap(({ name, description, columns }) => [
    { href: `#/tables/${name}`, name, note: description },
    ...columns.map((column) => ({
      href: `#/tables/${name}?column=${column.name}`,
      name: column.name,
      note: `${name} · ${column.meaning ?? column.from}`,
    })),
  ]);
}

const query = element("query");
const hits = element("hits");

async function search(nav) {
  const words = query.value.trim().toLowerCase();
  const views = Object.entries(nav).map(([id, name]) => ({ href: `#/${id}`, name, note: "view" }));
  const number = Number(words.replace(/[, ]/g, ""));
  let found = views;
  if (words !== "" && number >= 1)
    found = [
      { href: `#/batches/${number}`, name: `Batch ${int(number)}`, note: "open this batch" },
    ];
  else if (words !== "") {
    index ??= readIndex();
    const known = [...views, ...(await index)];
    // A warehouse that could not be asked may answer next time.
    if (known.length === views.length) index = undefined;
    found = known.filter((hit) => `${hit.name} ${hit.note}`.toLowerCase().includes(words));
  }
  if (query.value.trim().toLowerCase() !== words) return;
  hits.innerHTML = html`${found
    .slice(0, SHOWN)
    .map(
      (hit, at) =>
        html`<li role="option" id="hit-${at}" aria-selected="${at === 0}" data-href="${hit.href}">
          <strong>${hit.name}</strong><span>${hit.note}</span>
        </li>`,
    )}${
    found.length === 0 &&
    html`<li role="option" aria-selected="false" aria-disabled="true">
      <span>No batch, table or column matches. Try a shorter word.</span>
    </li>`
  }`;
  if (found.length > 0) query.setAttribute("aria-activedescendant", "hit-0");
  else query.removeAttribute("aria-activedescendant");
}

const close = () => element("palette").close();
function follow(hit) {
  if (!hit?.dataset.href) return;
  close();
  location.hash = hit.dataset.href;
}

let views;
/** Fulfilled once what is listed is what was typed last. */
let listed = Promise.resolve();
const list = () => {
  listed = search(views);
};
const chosen = () => [...hits.children].find((hit) => hit.ariaSelected === "true");

/**
 * Opens the box.
 * @param {Record<string, string>} nav names of the views by id
 */
export function openGoTo(nav) {
  views = nav;
  query.value = "";
  element("palette").showModal();
  list();
}

query.addEventListener("input", list);
query.addEventListener("keydown", async (event) => {
  if (event.key === "Enter") {
    const asked = listed;
    await asked;
    // Whoever typed on, or went away and came back, has not said Enter to that.
    if (asked === listed && element("palette").open) follow(chosen());
    return;
  }
  const from = chosen();
  const to = { ArrowDown: from?.nextElementSibling, ArrowUp: from?.previousElementSibling }[
    event.key
  ];
  if (!to) return;
  event.preventDefault();
  from.ariaSelected = "false";
  to.ariaSelected = "true";
  query.setAttribute("aria-activedescendant", to.id);
});
element("palette").addEventListener("click", ({ target }) =>
  target === element("palette") ? close() : follow(target.closest("[data-href]")),
);
