// The city for its staff: every hospital and lot, as a list that can be narrowed, and as a drawing of the same.
import { ask } from "../shell/feed.js";
import { make, say } from "../shell/elements.js";
import { Silence } from "../shell/silence.js";
import { dress } from "../shell/theme.js";
import { languageOf, speak, text } from "../shell/texts.js";
import { Drawing } from "./drawing.js";
import { Filters } from "./filters.js";
import { Lots, freeOf, troubleOf } from "./lots.js";

const EVERY_MS = 5000;
const MOST_PAGES = 20;

const asked = new URLSearchParams(location.search);
const root = location.pathname.replace(/\/map$/, "");
const theme = asked.get("theme");
let language = languageOf(asked.get("lang"));
let city = { hospitals: [], lots: [], closures: [], as_of: "" };
let shownPhase = "";

const silence = new Silence();
const page = document.getElementById("page");
const news = make("p", "news");
const parts = {};

function t(key, values) {
  return text(language, key, values);
}

function build() {
  speak(language);
  document.title = t("map.title") + " · Bowei 泊位";
  page.textContent = "";
  const other = language === "zh" ? "en" : "zh";
  const speakOther = make("button", "", text(other, "map.language"));
  speakOther.type = "button";
  speakOther.lang = other === "zh" ? "zh-Hans" : "en";
  speakOther.addEventListener("click", function () {
    language = other;
    build();
    draw();
    parts.speakOther.focus();
  });
  parts.speakOther = speakOther;
  page.appendChild(make("header", "top", make("h1", "", t("map.title")), make("div", "tools", speakOther)));
  news.setAttribute("role", "status");
  page.appendChild(news);
  parts.gates = make("ul", "gates");
  parts.health = make("p", "health");
  parts.filters = new Filters(t, draw, parts.filters);
  parts.lots = new Lots(t, language, root);
  parts.closures = make("ul", "closures");
  parts.drawing = new Drawing(t("map.drawing"), parts.drawing);
  const list = make("section", "", parts.health, parts.filters.element, parts.lots.element);
  const side = make("section", "side", parts.drawing.element, parts.drawing.credit, parts.closures);
  page.appendChild(make("main", "", parts.gates, make("div", "sides", list, side)));
}

function draw() {
  const lost = silence.phase() === "lost";
  const lots = parts.filters.choose(city.lots, language);
  drawGates(lost);
  parts.filters.offer(city.hospitals, language);
  parts.lots.show(lots, city.lots.length, lost);
  parts.drawing.show(lots, city.hospitals, city.closures, function (lot) {
    return lost ? "--" : freeOf(lot, t);
  });
  drawClosures();
  drawHealth();
}

/** Say of how many lots the data can be relied on: of all of them, whatever is listed. */
function drawHealth() {
  const count = { "": 0, stale: 0, expired: 0, doubted: 0 };
  city.lots.forEach(function (lot) { count[troubleOf(lot)] += 1; });
  const values = { fresh: count[""], old: count.stale, silent: count.expired, doubted: count.doubted };
  say(parts.health, city.lots.length ? t("map.health", values) : "");
}

function drawClosures() {
  parts.closures.textContent = "";
  city.closures.forEach(function (closure) {
    const when = t(closure.in_force ? "map.closed_until" : "map.closed_from", {
      from: hourOf(closure.starts_at),
      until: hourOf(closure.ends_at),
    });
    const line = make("li", closure.in_force ? "closure now" : "closure", make("strong", "", closure.reason[language]), " ", when);
    parts.closures.appendChild(line);
  });
}

function hourOf(instant) {
  const options = { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Date(instant).toLocaleString(language === "zh" ? "zh-CN" : "en-GB", options);
}

function drawGates(lost) {
  parts.gates.textContent = "";
  city.hospitals.forEach(function (hospital) {
    const link = make("a", "", hospital.name[language]);
    link.href = root + "/board/" + encodeURIComponent(hospital.hospital_id);
    const words = lost ? t("board.shows.unknown") : hospital.text[language];
    const state = lost ? "unknown" : hospital.state;
    parts.gates.appendChild(make("li", "gate " + state, make("h3", "", link), make("p", "says", words)));
  });
}

function tell() {
  const phase = silence.phase();
  const words = { waiting: "board.connecting", live: "", stale: "board.stale", lost: "board.lost" }[phase];
  const time = city.as_of ? new Date(city.as_of).toLocaleTimeString(language === "zh" ? "zh-CN" : "en-GB") : "";
  news.className = "news " + phase;
  say(news, words ? t(words, { time: time }) : "");
  if (phase !== shownPhase) {
    shownPhase = phase;
    draw();
  }
}

async function everyLot() {
  let lots = [];
  let next = "/v1/lots?limit=500";
  for (let pages = 0; next && pages < MOST_PAGES; pages += 1) {
    const answer = await ask(root + next);
    if (answer.status !== 200) return null;
    lots = lots.concat(answer.body.items);
    next = answer.body.next;
  }
  return lots;
}

async function look() {
  if (document.visibilityState === "visible") {
    const hospitals = await ask(root + "/v1/hospitals");
    const lots = hospitals.status === 200 ? await everyLot() : null;
    const closures = lots ? await ask(root + "/v1/closures") : null;
    if (lots && closures.status === 200) {
      city = { hospitals: hospitals.body.items, lots: lots, closures: closures.body.items, as_of: hospitals.body.as_of };
      // A copy that is stale is shown with the banner: the silence began before.
      if (!hospitals.body.stale) silence.contact(0);
      draw();
    }
    tell();
  }
  setTimeout(look, EVERY_MS);
}

dress(theme === "dark" || theme === "light" ? theme : "auto");
build();
ask(root + "/map/streets.geojson").then(function (answer) {
  if (answer.status === 200) parts.drawing.drawStreets(answer.body);
});
look();
setInterval(tell, 500);
document.addEventListener("visibilitychange", tell);
