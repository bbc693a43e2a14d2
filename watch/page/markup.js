class Markup extends String {}

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function put(value) {
  if (value === null || value === undefined || value === false) return "";
  if (Array.isArray(value)) return value.map(put).join("");
  return value instanceof Markup ? value : escape(value);
}

/**
 * Markup in which every value is escaped. What html made stays as it is, arrays are joined, null, undefined and false are nothing.
 * @param {TemplateStringsArray} parts
 * @param {unknown[]} values
 * @returns {any} what innerHTML takes
 */
export const html = (parts, ...values) =>
  new Markup(parts.reduce((text, part, i) => text + put(values[i - 1]) + part));
