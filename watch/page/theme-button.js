// Theme: the system's, light, dark, and round again. theme.js has it before the first paint.
import { element, say } from "./dom.js";
import { icon } from "./ui.js";

const THEMES = ["auto", "light", "dark"];
const theme = () => document.documentElement.dataset.theme ?? "auto";

/** Shows on the button which theme it is. */
export function showTheme() {
  element("theme").innerHTML = icon(theme());
  element("theme").title = element("theme").ariaLabel =
    `Theme: ${theme() === "auto" ? "as the system" : theme()}. Change (t)`;
}

export function nextTheme() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (next === "auto") {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem("theme");
  } else {
    document.documentElement.dataset.theme = next;
    localStorage.setItem("theme", next);
  }
  showTheme();
  say(`Theme: ${next === "auto" ? "as the system" : next}`);
}
