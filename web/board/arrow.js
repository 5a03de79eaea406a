// Arrows, drawn: fonts of television sets lack them.

const TURNS = {
  ahead: 0, ahead_right: 45, right: 90, back_right: 135, back: 180, back_left: 225, left: 270, ahead_left: 315,
};
const SVG = "http://www.w3.org/2000/svg";

/** Give an arrow that points up and is turned; `words` are what is read out. */
export function arrowOf(name, words) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("class", "arrow");
  drawing.setAttribute("viewBox", "0 0 48 48");
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", words);
  drawing.dataset.arrow = name;
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M24 3 44 23 37 30 28.7 21.7V45H19.3V21.7L11 30 4 23Z");
  path.setAttribute("transform", "rotate(" + TURNS[name] + " 24 24)");
  drawing.appendChild(path);
  return drawing;
}
