// The drawing: streets as the road file has them, hospitals and lots on top. It shows what the list shows, and fits it.
import { make, say } from "../shell/elements.js";
import { levelOf } from "./lots.js";

const SVG = "http://www.w3.org/2000/svg";
const METRES_A_DEGREE = 111195;
const MARGIN = 0.12;
const LEAST_M = 600;
const NUMBERS_UP_TO = 80;
const PARTING_TURNS = 12;

function element(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  Object.keys(attributes).forEach(function (name) { made.setAttribute(name, attributes[name]); });
  return made;
}

export class Drawing {
  constructor(words, before) {
    this.element = element("svg", { class: "drawing", role: "img", "aria-label": words, viewBox: "0 0 4 3" });
    this.credit = make("p", "credit", before ? before.credit.textContent : "");
    this.streets = before ? before.streets : null;
  }

  /** Take the streets, in GeoJSON; their source is named below the drawing. */
  drawStreets(collection) {
    this.streets = collection;
    this.drawn = "";
    say(this.credit, collection.attribution || "");
    if (this.last) this.show.apply(this, this.last);
  }

  show(lots, hospitals, closures, freeOf) {
    this.last = [lots, hospitals, closures, freeOf];
    const places = lots.map(function (lot) { return lot.location; }).concat(lots.length ? [] : hospitals.map(gateOf));
    if (!places.length) return;
    const box = boxOf(places);
    const closed = closures.map(function (one) { return [one.id, one.in_force, one.ends_at]; });
    const drawn = JSON.stringify([box, closed, lots.map(function (lot) { return [lot.id, levelOf(lot), freeOf(lot)]; })]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.element.textContent = "";
    this.element.setAttribute("viewBox", [0, 0, box.width, box.height].join(" "));
    if (this.streets) this.drawLines(box);
    closures.forEach(function (one) { this.drawArea(one, box); }, this);
    const size = box.width / 26;
    const crosses = hospitals.map(function (one) { return markAt(box.at(one.door), size, size, null, ""); });
    const numbers = lots.map(function (lot) {
      const words = lots.length > NUMBERS_UP_TO ? "" : freeOf(lot);
      return markAt(box.at(lot.location), size * Math.max(1.3, 0.5 + widthOf(words) * 0.45), size * 1.2, lot, words);
    });
    partMarks(crosses.concat(numbers));
    const draw = function (drawn) { this.element.appendChild(drawn); }.bind(this);
    numbers.forEach(function (mark) { draw(leash(mark, size)); });
    crosses.forEach(function (mark) { draw(drawnCross(mark, size)); });
    numbers.forEach(function (mark) { draw(drawnNumber(mark, size)); });
  }

  /** An area whose roads are closed: striped by its edge, so that colour is not alone. */
  drawArea(closure, box) {
    const rings = [].concat.apply([], closure.area.coordinates).map(function (ring) {
      return "M" + ring.map(function (pair) { return box.at({ lon: pair[0], lat: pair[1] }).join(" "); }).join("L") + "Z";
    });
    const area = element("path", {
      class: closure.in_force ? "closed now" : "closed",
      d: rings.join(""),
      "fill-rule": "evenodd",
      "stroke-width": box.width / 200,
      "stroke-dasharray": [box.width / 60, box.width / 90].join(" "),
    });
    area.dataset.closure = closure.id;
    this.element.appendChild(area);
  }

  drawLines(box) {
    this.streets.features.forEach(function (street) {
      const points = street.geometry.coordinates.map(function (pair) {
        return box.at({ lon: pair[0], lat: pair[1] }).join(",");
      });
      const line = element("polyline", { class: "street", points: points.join(" "), "stroke-width": box.width / 140 });
      this.element.appendChild(line);
    }, this);
  }
}

function gateOf(hospital) {
  return hospital.gate;
}

/** Fit places, four wide to three high, in metres from the north-west corner. */
function boxOf(places) {
  const lats = places.map(function (place) { return place.lat; });
  const lons = places.map(function (place) { return place.lon; });
  const middle = { lat: (Math.min.apply(null, lats) + Math.max.apply(null, lats)) / 2,
                   lon: (Math.min.apply(null, lons) + Math.max.apply(null, lons)) / 2 };
  const east = METRES_A_DEGREE * Math.cos(middle.lat * Math.PI / 180);
  const wide = (Math.max.apply(null, lons) - Math.min.apply(null, lons)) * east;
  const high = (Math.max.apply(null, lats) - Math.min.apply(null, lats)) * METRES_A_DEGREE;
  const width = Math.max(wide, high * 4 / 3, LEAST_M) * (1 + 2 * MARGIN);
  const height = width * 3 / 4;
  return {
    width: Math.round(width),
    height: Math.round(height),
    at: function (place) {
      return [Math.round((place.lon - middle.lon) * east + width / 2),
              Math.round((middle.lat - place.lat) * METRES_A_DEGREE + height / 2)];
    },
  };
}

function markAt(at, wide, high, lot, words) {
  return { at: at, x: at[0], y: at[1], wide: wide, high: high, lot: lot, words: words };
}

/** Push marks that cover each other apart, a little at a time, the short way. */
function partMarks(marks) {
  for (let turn = 0; turn < PARTING_TURNS; turn += 1) {
    for (let one = 0; one < marks.length; one += 1) {
      for (let other = one + 1; other < marks.length; other += 1) part(marks[one], marks[other]);
    }
  }
}

function part(a, b) {
  const over = (a.wide + b.wide) / 2 * 1.06 - Math.abs(a.x - b.x);
  const above = (a.high + b.high) / 2 * 1.12 - Math.abs(a.y - b.y);
  if (over <= 0 || above <= 0) return;
  const axis = over < above ? "x" : "y";
  const step = Math.min(over, above) / 2 * (a[axis] < b[axis] ? -1 : 1);
  a[axis] += step;
  b[axis] -= step;
}

/** A line from a mark that was moved to where its lot is. */
function leash(mark, size) {
  return element("line", {
    class: "leash " + levelOf(mark.lot), x1: mark.at[0], y1: mark.at[1], x2: mark.x, y2: mark.y, "stroke-width": size * 0.14,
  });
}

/** A white cross on red. */
function drawnCross(mark, size) {
  const place = "translate(" + mark.x + "," + mark.y + ") scale(" + size / 24 + ")";
  const group = element("g", { class: "hospital", transform: place });
  group.appendChild(element("rect", { x: -12, y: -12, width: 24, height: 24, rx: 4 }));
  group.appendChild(element("path", { d: "M-3-9h6v6h6v6h-6v6h-6v-6h-6v-6h6z" }));
  return group;
}

function drawnNumber(mark, size) {
  const group = element("g", {
    class: "lot " + levelOf(mark.lot), transform: "translate(" + mark.x + "," + mark.y + ")", "data-lot": mark.lot.id,
  });
  group.appendChild(element("rect", {
    x: -mark.wide / 2, y: -mark.high / 2, width: mark.wide, height: mark.high, rx: mark.high / 2, "stroke-width": size * 0.14,
  }));
  const label = element("text", { y: size * 0.26, "font-size": size * 0.7 });
  label.textContent = mark.words;
  group.appendChild(label);
  return group;
}

/** How wide words are, in digits; a Chinese sign is as wide as two. */
function widthOf(words) {
  let width = 0;
  for (let place = 0; place < words.length; place += 1) width += words.charCodeAt(place) > 255 ? 1.8 : 1;
  return width;
}
