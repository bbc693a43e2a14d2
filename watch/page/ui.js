// Parts that every view is made of. Values in, markup out; no inline styles, which the page's policy forbids.
import { icon } from "./icons.js";
import { html } from "./markup.js";
import { span } from "./words.js";

export * from "./icons.js";
export * from "./markup.js";
export * from "./words.js";

/** `12 s ago`: app.js goes on counting. */
export const age = (iso) =>
  html`<time datetime="${iso}" title="${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC"
    >${span((Date.now() - Date.parse(iso)) / 1000)} ago</time
  >`;

export const copy = (text, what) =>
  html`<button
    type="button"
    class="copy-button"
    data-copy="${text}"
    aria-label="Copy ${what}"
    title="Copy ${what}"
  >
    ${icon("copy")}
  </button>`;

export const command = (text) =>
  html`<span class="command"><code>${text}</code>${copy(text, "the command")}</span>`;

/** What to do, in order. The page itself runs nothing. */
export const steps = (list) =>
  html`<ol class="steps ${list.length === 1 ? "single" : ""}">
    ${list.map((step) => html`<li><span>${step.text}</span>${step.command && command(step.command)}</li>`)}
  </ol>`;

/** A table that may be wider than the screen: it scrolls by itself, by keys too. */
export const scroll = (label, body) =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="${label}">${body}</div>`;

export const empty = (title, text, commands = [], mark = "idle") =>
  html`<div class="empty">
    ${icon(mark)}
    <h1>${title}</h1>
    <p>${text}</p>
    ${commands.map(command)}
  </div>`;

/** In place of a view whose answer could not be had. */
export const problem = (text) =>
  empty("This cannot be told now", text, ["npx totes doctor"], "bad");
