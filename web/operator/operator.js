// The desk of whoever runs lots: pause and resume, who is coming, and what sharing brought.
import { ask } from "../shell/feed.js";
import { make, say } from "../shell/elements.js";
import { Service, addressOf } from "../shell/service.js";
import { languageOf, speak, text } from "../shell/texts.js";
import { dress } from "../shell/theme.js";
import { Lots } from "./lots.js";
import { Report } from "./report.js";
import { SignIn } from "./sign_in.js";

const EVERY_MS = 4000;

const asked = new URLSearchParams(location.search);
const root = location.pathname.replace(/\/operator$/, "");
const registry = new Service(addressOf("registry", root));
const page = document.getElementById("page");
const news = make("p", "news");
const shown = {};
let language = languageOf(asked.get("lang"));
let ahead = 0;

function t(key, values) {
  return text(language, key, values);
}

function spoken() {
  return language;
}

function tell(words) {
  news.className = words ? "news bad" : "news";
  say(news, words);
}

const signIn = new SignIn(t, registry, build);
const lots = new Lots(t, spoken, root, registry, tell);
const report = new Report(t, spoken, registry, function () { return new Date(Date.now() + ahead); });

function build() {
  speak(language);
  document.title = t("operator.title") + " · Bowei 泊位";
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
  shown.speakOther = tool(text(other, "map.language"), function () {
    language = other;
    build();
    shown.speakOther.focus();
  });
  shown.speakOther.lang = other === "zh" ? "zh-Hans" : "en";
  if (signIn.known()) tool(t("operator.sign_out"), function () { signIn.forget(); });
  page.appendChild(make("header", "top", make("h1", "", t("operator.title")), tools));
  news.setAttribute("role", "status");
  page.appendChild(news);
  const main = make("main", "");
  page.appendChild(main);
  if (signIn.known()) {
    main.appendChild(lots.build());
    main.appendChild(report.build());
    look();
  } else {
    tell("");
    main.appendChild(signIn.build());
  }
}

async function look() {
  if (!signIn.known()) return;
  const answers = await lots.look();
  if (signIn.known()) tell(answers ? "" : t("operator.no_answer"));
}

setInterval(function () { if (document.visibilityState === "visible") look(); }, EVERY_MS);
const theme = asked.get("theme");
dress(theme === "dark" || theme === "light" ? theme : "auto");
ask(root + "/v1/time").then(function (answer) {
  if (answer.status === 200) ahead = new Date(answer.body.now) - Date.now();
}).then(function () { return signIn.fromAddress(); }).then(build, build);
