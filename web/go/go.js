// A driver without the app: choose the hospital, get a space, and see what becomes of it, live.
import { CityClock } from "../shell/clock.js";
import { make, say } from "../shell/elements.js";
import { Service, newId, addressOf, sleep } from "../shell/service.js";
import { Silence } from "../shell/silence.js";
import { languageOf, speak, text } from "../shell/texts.js";
import { dress } from "../shell/theme.js";
import { Choosing } from "./choosing.js";
import { Kept } from "./kept.js";
import { Standing } from "./standing.js";

const WAIT_S = 25;
const AWAY_MS = 3000;
const CLOCK_EVERY_MS = 300000;

const asked = new URLSearchParams(location.search);
const root = location.pathname.replace(/\/go\/?$/, "");
const kept = new Kept();
const routing = new Service(addressOf("routing", root));
const clock = new CityClock();
const silence = new Silence();
const page = document.getElementById("page");
const news = make("p", "news");
const alarm = make("p", "news");
const place = make("main", "");
let language = languageOf(asked.get("lang") || kept.language);
let view = null;
let turn = 0;

function t(key, values) {
  return text(language, key, values);
}

const app = {
  t: t,
  routing: routing,
  clock: clock,
  kept: kept,
  root: root,
  language: function () { return language; },
  choose: choose,
  begin: begin,
  show: show,
  alarm: function (words, kind) {
    alarm.className = words ? "news " + (kind || "warn") : "news";
    say(alarm, words || "");
  },
};

function build() {
  speak(language);
  document.title = t("go.title") + " · Bowei 泊位";
  enlarge();
  page.textContent = "";
  const other = language === "zh" ? "en" : "zh";
  const large = tool(t("go.large"), function () {
    kept.large = !kept.large;
    enlarge();
    large.setAttribute("aria-pressed", String(kept.large));
  });
  large.setAttribute("aria-pressed", String(kept.large));
  const speakOther = tool(text(other, "map.language"), function () {
    language = kept.language = other;
    build();
    if (view) view.build();
    page.querySelector(".speak").focus();
  });
  speakOther.lang = other === "zh" ? "zh-Hans" : "en";
  speakOther.className = "speak";
  page.appendChild(make("header", "top", make("h1", "", t("go.title")), make("div", "tools", large, speakOther)));
  news.setAttribute("role", "status");
  alarm.setAttribute("role", "alert");
  [news, alarm, place].forEach(function (part) { page.appendChild(part); });
}

function enlarge() {
  if (kept.large) document.documentElement.dataset.large = "";
  else delete document.documentElement.dataset.large;
}

function tool(words, act) {
  const button = make("button", "", words);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

function turnTo(next) {
  turn += 1;
  view = next;
  view.build();
}

/** Let the driver choose a hospital, or begin with the one that is asked for. */
function choose(hospital) {
  app.alarm("");
  turnTo(new Choosing(app, place, hospital || asked.get("h") || ""));
}

/** Ask for a space. The id is kept before it is sent: a page that is loaded again asks for the same one. */
async function begin(hospital, wishes) {
  app.alarm("");
  kept.begin(newId("go-"), hospital, wishes);
  await proceed();
}

/** Go on with what is kept: put it once more where it was never answered, else look how it stands. */
async function proceed() {
  const own = (turn += 1);
  const stopped = function () { return own !== turn; };
  const wait = function (tries) {
    if (tries > 1) app.alarm(t("go.trying"));
  };
  busy(t("go.looking"));
  if (!kept.token) {
    const made = await routing.insist("POST", "/v1/drivers", {}, wait, stopped);
    if (stopped()) return;
    if (made.status !== 201) return refused(made);
    kept.token = made.body.driver_token;
  }
  routing.token = kept.token;
  const path = "/v1/diversions/" + kept.id;
  const answer = kept.wishes
    ? await routing.insist("PUT", path, { body: kept.asked() }, wait, stopped)
    : await routing.insist("GET", path, {}, wait, stopped);
  if (stopped()) return;
  if (answer.status !== 200 && answer.status !== 201) return refused(answer);
  app.alarm("");
  show(answer);
}

function busy(words) {
  view = null;
  place.textContent = "";
  place.appendChild(make("p", "card", words));
}

function refused(answer) {
  const problem = answer.body || {};
  if (answer.status === 401) kept.token = "";
  kept.end();
  choose();
  app.alarm(problem.code === "unknown_diversion" ? t("go.gone") : problem.detail || problem.title || t("go.failed"), "bad");
}

/** Show how the diversion stands, and follow it from there. */
function show(answer) {
  if (answer.body.hold) kept.answered();
  if (view instanceof Standing) {
    turn += 1;
    view.take(answer.body);
  } else {
    turnTo(new Standing(app, place, answer.body));
  }
  silence.contact(0);
  if (answer.body.hold) follow(answer.etag);
}

/** Wait for what changes, by long polls: they get through where streams with a token don't exist. */
async function follow(etag) {
  const own = turn;
  let known = etag;
  while (own === turn && view instanceof Standing && !view.over()) {
    const answer = await routing.ask("GET", "/v1/diversions/" + kept.id + "?wait_s=" + WAIT_S, {
      etag: known,
      waitS: WAIT_S,
    });
    if (own !== turn) return;
    if (answer.status === 200) {
      known = answer.etag;
      silence.contact(0);
      view.take(answer.body);
    } else if (answer.status === 304) {
      silence.contact(0);
    } else if (answer.status === 404 || answer.status === 401) {
      return refused(answer);
    } else {
      lookWhetherAway();
      await sleep(AWAY_MS);
    }
  }
}

/** A poll may take half a minute: whether there is contact at all is asked beside it. */
async function lookWhetherAway() {
  const answer = await routing.ask("GET", "/livez", {});
  if (answer.status === 200) silence.contact(0);
}

function tell() {
  const following = view instanceof Standing && view.follows();
  const away = following && (navigator.onLine === false || silence.length() > (WAIT_S + 10) * 1000);
  news.className = away ? "news stale" : "news";
  say(news, away ? t("go.away") : "");
  if (view && view.tick) view.tick();
}

function arrivedFromSlip() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (!fragment.get("d") || !fragment.get("token")) return;
  kept.adopt(fragment.get("d"), fragment.get("token"));
  // The token stays in this browser, not in the address that a driver may pass on.
  history.replaceState(null, "", location.pathname + location.search);
}

const theme = asked.get("theme");
dress(theme === "dark" || theme === "light" ? theme : "auto");
arrivedFromSlip();
build();
clock.set(root);
setInterval(function () { clock.set(root); }, CLOCK_EVERY_MS);
setInterval(tell, 500);
window.addEventListener("online", function () { if (view instanceof Standing) clock.set(root); });
document.addEventListener("visibilitychange", function () {
  if (document.visibilityState === "visible") clock.set(root);
});
if (kept.id) proceed();
else choose();

