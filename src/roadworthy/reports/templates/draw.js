// Draws every figure with the bundled Vega, at the width of its place, and opens all for print.
const places = Array.from(document.querySelectorAll("[data-spec]"));
const drawn = new Map();

function room(place) {
  let box = place, inset = 0;
  while (box && !box.clientWidth) { box = box.parentElement; inset = 40; }
  return Math.max(220, Math.min(640, (box ? box.clientWidth : 600) - inset));
}

// Lines of at most so many letters; a word that is longer stays whole.
function wrapped(text, most) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last && last.length + 1 + word.length > most) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
  }
  return lines;
}

// The title of an axis along the bottom is not cut where the figure is narrow.
function wrapTitles(part, most) {
  const x = part.encoding && part.encoding.x;
  for (const held of x ? [x, x.axis] : [])
    if (held && typeof held.title === "string") held.title = wrapped(held.title, most);
  for (const layer of part.layer || []) wrapTitles(layer, most);
}

async function draw(place) {
  const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
  const width = room(place);
  spec.width = width;
  spec.autosize = { type: "fit-x", contains: "padding" };
  spec.config.axisY.labelLimit = Math.min(240, Math.round(width * 0.42));
  const { rows, columns } = spec.usermeta || {};
  if (rows) spec.height = Math.min(spec.height, Math.round((width - 40) * rows / columns));
  wrapTitles(spec, Math.floor(width * 0.55 / 6));
  // `ast`: expressions are interpreted, never compiled, as the page's own policy asks.
  const { view } = await vegaEmbed(place, spec, {
    mode: "vega-lite", renderer: "svg", ast: true,
    actions: false, tooltip: false, defaultStyle: false,
  });
  drawn.set(place, view);
}

function fit() {
  for (const [place, view] of drawn) {
    if (place.clientWidth && view.width() !== room(place)) view.width(room(place)).runAsync();
  }
}

let waiting = 0;
window.addEventListener("resize", () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(fit);
});
document.addEventListener("toggle", fit, true);

let closed = [];
window.addEventListener("beforeprint", () => {
  closed = Array.from(document.querySelectorAll("details.finding, details:has(.effects)")).filter((d) => !d.open);
  for (const details of closed) details.open = true;
});
window.addEventListener("afterprint", () => {
  for (const details of closed) details.open = false;
});

function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const closed = [];
  for (let box = target; box; box = box.parentElement) if (box.matches("details:not([open])")) closed.push(box);
  for (const details of closed) details.open = true;
  if (closed.length) target.scrollIntoView();
}
window.addEventListener("hashchange", reveal);
reveal();

(async () => {
  for (const place of places) {
    try {
      await draw(place);
    } catch (error) {
      place.textContent = "This figure could not be drawn here; its numbers are below.";
      console.error(error);
    }
  }
  document.documentElement.dataset.drawn = String(drawn.size);
})();
