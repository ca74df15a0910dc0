
// Says a cell's numbers beside a pointer or the keyboard's focus; the same text stands in the cell, hidden.
const tip = document.getElementById("tip");
const cellOf = (element) => element && element.closest(".matrix .cell");
let told = null;

function tell(cell) {
  told = cell;
  const text = cell && cell.querySelector(".tip");
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text.textContent;
  const place = cell.getBoundingClientRect(), own = tip.getBoundingClientRect();
  const left = place.left + place.width / 2 - own.width / 2;
  tip.style.left = `${Math.max(8, Math.min(left, document.documentElement.clientWidth - own.width - 8))}px`;
  const above = place.top - own.height - 8;
  tip.style.top = `${above > 0 ? above : place.bottom + 8}px`;
}

if (tip && matchMedia("(min-width: 48.01rem)").matches) {
  for (const happening of ["pointerover", "focusin"]) {
    // A page that scrolls moves under the pointer: what has the focus is told on.
    document.addEventListener(happening, (event) => tell(cellOf(event.target) || cellOf(document.activeElement)));
  }
  document.addEventListener("focusout", () => tell(null));
  document.addEventListener("scroll", () => tell(told), true);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") tell(null); });
}
