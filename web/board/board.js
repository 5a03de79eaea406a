// A board: what the server says, line by line, as large as the screen allows. It decides nothing but how it looks.
import { Feed } from "../shell/feed.js";
import { reloadNightly, stayAwake } from "../shell/staying.js";
import { Silence } from "../shell/silence.js";
import { dress } from "../shell/theme.js";
import { speak } from "../shell/texts.js";
import { Screen } from "./screen.js";

const asked = new URLSearchParams(location.search);
const parts = location.pathname.split("/");
const boardId = decodeURIComponent(parts.pop());
const root = parts.slice(0, -1).join("/");

const lang = asked.get("lang");
const languages = lang === "zh" || lang === "en" ? [lang] : ["zh", "en"];
const theme = asked.get("theme");

speak(languages[0]);
dress(theme === "light" || theme === "auto" ? theme : "dark");

const silence = new Silence();
const screen = new Screen(document.getElementById("board"), languages, boardId);
let rows = 0;
let feed = null;

function hear(event, data) {
  if (event === "refused") {
    if (data === 404 || data === 422) screen.refused(data);
    return;
  }
  silence.contact(data.silent_s);
  screen.heard(data.as_of);
  if (event === "board") screen.take(data);
  screen.show(silence.phase());
}

function follow() {
  const wanted = Number(asked.get("rows")) || screen.rowsThatFit();
  if (wanted === rows) return;
  rows = wanted;
  const query = new URLSearchParams();
  query.set("rows", String(rows));
  ["facing", "at", "arrows"].forEach(function (name) {
    if (asked.get(name)) query.set(name, asked.get(name));
  });
  const address = root + "/v1/boards/" + encodeURIComponent(boardId);
  if (feed) {
    feed.turnTo(address + "/stream?" + query, address + "?" + query);
  } else {
    feed = new Feed(address + "/stream?" + query, address + "?" + query, hear);
    feed.start();
  }
}

follow();
setInterval(function () { screen.show(silence.phase()); }, 500);
window.addEventListener("resize", function () {
  screen.measure();
  follow();
});
stayAwake();
reloadNightly(boardId);
