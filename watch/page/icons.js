import { html } from "./markup.js";

const SHAPES = {
  ok: html`<circle cx="8" cy="8" r="6.5" /><path d="m5.2 8.2 2 2 3.6-4.2" />`,
  warn: html`<path d="M8 1.8 14.6 13.5H1.4z" /><path d="M8 6.3v3.2M8 11.4v.1" />`,
  bad: html`<path d="M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3z" /><path
      d="m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4"
    />`,
  idle: html`<circle cx="8" cy="8" r="6.5" stroke-dasharray="2.6 2.5" />`,
  busy: html`<circle cx="8" cy="8" r="6.5" /><circle cx="8" cy="8" r="2" fill="currentColor" />`,
  database: html`<ellipse cx="8" cy="3.6" rx="5.5" ry="2.1" /><path
      d="M2.5 3.6v8.8c0 1.2 2.5 2.1 5.5 2.1s5.5-.9 5.5-2.1V3.6M2.5 8c0 1.2 2.5 2.1 5.5 2.1s5.5-.9 5.5-2.1"
    />`,
  bucket: html`<ellipse cx="8" cy="3.8" rx="6" ry="1.9" /><path
      d="m2 3.8 1.5 9.3c.2.8 2 1.4 4.5 1.4s4.3-.6 4.5-1.4L14 3.8"
    />`,
  function: html`<path d="M3.5 2.5h2L11.5 13.5h2M7.6 6.4 3.5 13.5" />`,
  copy: html`<rect x="5.5" y="5.5" width="8" height="8" rx="1.5" /><path
      d="M10.5 3.5v-.3c0-.7-.5-1.2-1.2-1.2H3.7C3 2 2.5 2.5 2.5 3.2v5.6c0 .7.5 1.2 1.2 1.2h.3"
    />`,
  key: html`<circle cx="5" cy="10.5" r="2.8" /><path d="m7.1 8.4 5.4-5.4M10.5 5l2 2" />`,
  auto: html`<circle cx="8" cy="8" r="6" /><path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" />`,
  light: html`<circle cx="8" cy="8" r="2.8" /><path
      d="M8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M3.2 12.8l1.1-1.1M11.7 4.3l1.1-1.1"
    />`,
  dark: html`<path d="M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5a5.8 5.8 0 1 0 7.1 7.1z" />`,
};

/**
 * One of the page's own pictures.
 * @param {string} name
 * @param {string} [label] what it says, where no word beside it does
 */
export const icon = (name, label) =>
  html`<svg
    class="icon ${name}"
    viewBox="0 0 16 16"
    ${label ? html`role="img" aria-label="${label}"` : html`aria-hidden="true"`}
  >
    ${SHAPES[name]}
  </svg>`;

const STATUS_WORDS = {
  ok: "Good",
  warn: "Look at this",
  bad: "Act now",
  idle: "Nothing yet",
  busy: "Working",
};

/** A status is a shape and a word besides its colour. */
export const status = (name) => icon(name, STATUS_WORDS[name]);
