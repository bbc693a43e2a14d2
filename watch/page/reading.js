// Charts read out one point: the one under the pointer, or by arrow keys.

/** @param {any} plot @param {number} at which point */
function read(plot, at) {
  const points = (plot.read ??= JSON.parse(plot.dataset.points));
  const i = Math.max(0, Math.min(points.length - 1, at));
  const [text, x] = points[i];
  const line = plot.querySelector(".cross");
  const box = plot.querySelector(".readout");
  plot.ariaValueNow = String(i);
  plot.ariaValueText = text;
  plot.classList.add("reading");
  box.textContent = text;
  line.setAttribute("x1", `${x}%`);
  line.setAttribute("x2", `${x}%`);
  const middle = (x / 100) * plot.firstElementChild.clientWidth;
  const left = Math.min(plot.offsetWidth - box.offsetWidth, middle - box.offsetWidth / 2);
  box.style.left = `${Math.max(0, left)}px`;
}

const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -1e6, End: 1e6 };

/**
 * Goes to the next point, where a chart has the focus and the key says so.
 * @param {KeyboardEvent} event
 */
export function readByKey(event) {
  const plot = /** @type {HTMLElement} */ (event.target).closest(".chart");
  const step = STEPS[event.key];
  if (!plot || !step) return false;
  event.preventDefault();
  read(plot, Number(plot.ariaValueNow) + step);
  return true;
}

document.addEventListener("pointermove", ({ target, clientX }) => {
  const plot = target instanceof Element ? target.closest(".chart") : null;
  if (plot) {
    const { left, width } = /** @type {Element} */ (plot.firstElementChild).getBoundingClientRect();
    read(plot, Math.floor(((clientX - left) / width) * (Number(plot.ariaValueMax) + 1)));
  }
  for (const other of document.querySelectorAll(".chart.reading"))
    if (other !== plot && other !== document.activeElement) other.classList.remove("reading");
});
document.addEventListener("focusout", ({ target }) => {
  if (target instanceof Element) target.classList.remove("reading");
});
