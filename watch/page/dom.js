/**
 * An element of index.html.
 * @param {string} id
 * @returns {any}
 */
export const element = (id) => document.getElementById(id);

/**
 * Says something to those who hear the page.
 * @param {string} text
 */
export function say(text) {
  element("said").textContent = "";
  requestAnimationFrame(() => {
    element("said").textContent = text;
  });
}

/** Geometry that depends on data: the page's policy forbids it in markup. */
export function place() {
  for (const one of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-at]")))
    one.style.setProperty("--at", one.dataset.at ?? null);
}
