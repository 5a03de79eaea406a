// The drawing: streets as the road file has them, hospitals and lots on top. It shows what the list shows, and fits it.
import { make, say } from "../shell/elements.js";

const SVG = "http://www.w3.org/2000/svg";
const METRES_A_DEGREE = 111195;
const MARGIN = 0.12;
const LEAST_M = 600;
const NUMBERS_UP_TO = 80;

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

  show(lots, hospitals, freeOf) {
    this.last = [lots, hospitals, freeOf];
    const places = lots.map(function (lot) { return lot.location; }).concat(lots.length ? [] : hospitals.map(gateOf));
    if (!places.length) return;
    const box = boxOf(places);
    const drawn = JSON.stringify([box, lots.map(function (lot) { return [lot.id, lot.level, freeOf(lot)]; })]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.element.textContent = "";
    this.element.setAttribute("viewBox", [0, 0, box.width, box.height].join(" "));
    if (this.streets) this.drawLines(box);
    const size = box.width / 24;
    hospitals.forEach(function (one) { this.element.appendChild(crossAt(box, one.door, size)); }, this);
    lots.forEach(function (lot) {
      this.element.appendChild(lotAt(box, lot, lots.length > NUMBERS_UP_TO ? "" : freeOf(lot), size));
    }, this);
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

/** A white cross on red, above and left of the door, so that the hospital's own lot stays in sight. */
function crossAt(box, place, size) {
  const at = box.at(place);
  const moved = [at[0] - size, at[1] - size];
  const group = element("g", { class: "hospital", transform: "translate(" + moved + ") scale(" + size / 28 + ")" });
  group.appendChild(element("rect", { x: -12, y: -12, width: 24, height: 24, rx: 4 }));
  group.appendChild(element("path", { d: "M-3-9h6v6h6v6h-6v6h-6v-6h-6v-6h6z" }));
  return group;
}

function lotAt(box, lot, words, size) {
  const at = box.at(lot.location);
  const group = element("g", { class: "lot " + lot.level, transform: "translate(" + at + ")", "data-lot": lot.id });
  const wide = size * Math.max(1.3, 0.5 + widthOf(words) * 0.45);
  group.appendChild(element("rect", {
    x: -wide / 2, y: -size * 0.6, width: wide, height: size * 1.2, rx: size * 0.6, "stroke-width": size * 0.14,
  }));
  const label = element("text", { y: size * 0.26, "font-size": size * 0.7 });
  label.textContent = words;
  group.appendChild(label);
  return group;
}

/** How wide words are, in digits; a Chinese sign is as wide as two. */
function widthOf(words) {
  let width = 0;
  for (let place = 0; place < words.length; place += 1) width += words.charCodeAt(place) > 255 ? 1.8 : 1;
  return width;
}
