// The console of a hospital's gate: where the next car goes, and one tap that sends it there.
import { make, say } from "../shell/elements.js";
import { Feed } from "../shell/feed.js";
import { Service, addressOf, newId } from "../shell/service.js";
import { Silence } from "../shell/silence.js";
import { languageOf, speak, text } from "../shell/texts.js";
import { dress } from "../shell/theme.js";
import { Cars } from "./cars.js";
import { SignIn } from "./sign_in.js";
import { Words } from "./words.js";

const asked = new URLSearchParams(location.search);
const parts = location.pathname.split("/");
const hospitalId = decodeURIComponent(parts.pop());
const root = parts.slice(0, -1).join("/");
const address = root + "/v1/hospitals/" + encodeURIComponent(hospitalId) + "/gate";
const routing = new Service(addressOf("routing", root));
const silence = new Silence();
const page = document.getElementById("page");
const news = make("p", "news");
const shown = {};
let language = languageOf(asked.get("lang"));
let gate = null;
let wrong = "";

function t(key, values) {
  return text(language, key, values);
}

const signIn = new SignIn(t, hospitalId, routing, build);
const cars = new Cars(t, function () { return language; }, hospitalId, routing, function (words) {
  say(shown.did, words);
});

const words = new Words(t, function () { return language; }, hospitalId, routing);

function build() {
  speak(language);
  page.textContent = "";
  const other = language === "zh" ? "en" : "zh";
  const tools = make("div", "tools");
  const tool = function (words, act) {
    const button = make("button", "", words);
    button.type = "button";
    button.addEventListener("click", act);
    tools.appendChild(button);
    return button;
  };
  const speakOther = tool(text(other, "map.language"), function () {
    language = other;
    build();
    shown.speakOther.focus();
  });
  speakOther.lang = other === "zh" ? "zh-Hans" : "en";
  shown.speakOther = speakOther;
  if (signIn.known()) tool(t("gate.sign_out"), function () { signIn.forget(); });
  shown.title = make("h1", "", t("gate.title"));
  page.appendChild(make("header", "top", shown.title, tools));
  news.setAttribute("role", "status");
  page.appendChild(news);
  const main = make("main", "");
  shown.state = make("span", "state unknown");
  shown.says = make("p", "says");
  shown.free = number();
  shown.queue = number();
  shown.counted = make("span", "quiet counted");
  shown.next = make("section", "card next none");
  shown.did = make("p", "unseen");
  shown.did.setAttribute("role", "status");
  main.appendChild(make(
    "section", "card",
    make("p", "", shown.state), shown.says,
    make("div", "counts", make("p", "", shown.free, t("gate.free")), make("p", "", shown.queue, t("gate.queue"), shown.counted))
  ));
  main.appendChild(shown.next);
  if (signIn.known()) {
    main.appendChild(divertForm());
    main.appendChild(cars.build());
    main.appendChild(words.build());
  } else {
    shown.plate = null;
    main.appendChild(signIn.build());
  }
  main.appendChild(shown.did);
  page.appendChild(main);
  draw();
}

function number() {
  return make("span", "number", "--");
}

function divertForm() {
  const plate = make("input", "");
  plate.type = "text";
  plate.maxLength = 16;
  plate.autocomplete = "off";
  plate.autocapitalize = "characters";
  const button = make("button", "main", t("gate.divert"), make("kbd", "", "D"));
  button.type = "submit";
  const form = make("form", "divert", make("label", "", t("gate.plate"), make("kbd", "", "P"), plate), button);
  form.addEventListener("submit", function (event) {
    event.preventDefault();
    divert();
  });
  shown.plate = plate;
  return form;
}

/** One tap is one car: the id is made here, so that whatever the network does there is one hold. */
function divert() {
  const plate = shown.plate.value.trim().toUpperCase();
  shown.plate.value = "";
  cars.send(newId("gate-"), plate);
}

function draw() {
  if (!gate) return;
  const lost = silence.phase() === "lost";
  say(shown.title, gate.name[language]);
  document.title = gate.name[language] + " · " + t("gate.title");
  const state = lost ? "unknown" : gate.state;
  shown.state.className = "state " + state;
  say(shown.state, t("gate.state." + state));
  say(shown.says, lost ? "" : gate.text[language]);
  say(shown.free, lost || gate.free === undefined ? "--" : String(gate.free) + (gate.free_bound === "at_least" ? "+" : ""));
  say(shown.queue, lost || gate.queue_vehicles === undefined ? "--" : String(gate.queue_vehicles));
  say(shown.counted, lost || !gate.queue_said_at ? "" : t("gate.queue_counted", { at: hourOf(gate.queue_said_at) }));
  drawNext(lost ? null : gate.next, lost ? "" : gate.paused_until);
  words.draw(gate.paused_until);
}

function hourOf(instant) {
  return new Date(instant).toLocaleTimeString(language === "zh" ? "zh-CN" : "en-GB", { hour: "2-digit", minute: "2-digit" });
}

function drawNext(next, pausedUntil) {
  const place = shown.next;
  const said = JSON.stringify([language, next || null, pausedUntil || null]);
  if (place.dataset.said === said) return;
  place.dataset.said = said;
  place.textContent = "";
  place.className = next ? "card next" : "card next none";
  place.appendChild(make("p", "quiet", t("gate.next")));
  if (!next) {
    place.appendChild(make("h2", "", pausedUntil ? t("gate.paused_until", { until: hourOf(pausedUntil) }) : t("gate.nowhere")));
    return;
  }
  place.appendChild(make("h2", "", next.name[language]));
  const walk = t("board.walk", { minutes: Math.max(1, Math.ceil(next.walk_s / 60)) });
  place.appendChild(make("p", "", t("gate.offered", { count: next.offered }) + " · " + walk));
  place.appendChild(make("p", "quiet", next.why[language]));
}

function tell() {
  const phase = silence.phase();
  const key = wrong || { waiting: "board.connecting", live: "", stale: "board.stale", lost: "board.lost" }[phase];
  const time = gate ? new Date(gate.as_of).toLocaleTimeString(language === "zh" ? "zh-CN" : "en-GB") : "";
  news.className = "news " + (wrong ? "lost" : phase);
  say(news, key ? t(key, { time: time, id: hospitalId }) : "");
  draw();
}

function hear(event, data) {
  if (event === "refused") {
    if (data === 404) wrong = "gate.unknown";
    return;
  }
  wrong = "";
  silence.contact(data.silent_s);
  if (event === "gate") gate = data;
  else if (gate) gate.as_of = data.as_of;
  tell();
}

document.addEventListener("keydown", function (event) {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !shown.plate) return;
  const key = event.key.toLowerCase();
  if (key === "d") divert();
  else if (key === "p") shown.plate.focus();
  else if (key === "q") words.focus();
  else if (key === "u") cars.undoLast();
  else if (key === "s") cars.slipOfLast();
  else return;
  event.preventDefault();
});

const theme = asked.get("theme");
dress(theme === "dark" || theme === "light" ? theme : "auto");
build();
new Feed(address + "/stream", address, hear, "gate").start();
setInterval(tell, 500);
