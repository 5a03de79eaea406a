// What the staff says: how many cars wait, and that none is sent elsewhere for a while. Each is shown as said only once
// it is kept; until then the page says that it is on its way, and goes on trying.
import { make, say } from "../shell/elements.js";

const PAUSES_MIN = [15, 30, 60];

export class Words {
  constructor(t, language, hospitalId, routing) {
    this.t = t;
    this.language = language;
    this.path = "/v1/hospitals/" + encodeURIComponent(hospitalId) + "/gate/";
    this.routing = routing;
    this.asked = { queue: 0, pause: 0 };
  }

  build() {
    const t = this.t;
    this.vehicles = make("input", "");
    this.vehicles.type = "number";
    this.vehicles.min = "0";
    this.vehicles.max = "500";
    this.vehicles.step = "1";
    this.vehicles.required = true;
    this.vehicles.inputMode = "numeric";
    const button = make("button", "", t("gate.say_queue"));
    button.type = "submit";
    this.queueSaid = make("p", "quiet");
    this.queueSaid.setAttribute("role", "status");
    const form = make("form", "count", make("label", "", t("gate.count_queue"), make("kbd", "", "Q"), this.vehicles), button);
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      this.sayQueue();
    }.bind(this));
    this.pauseSaid = make("p", "quiet");
    this.pauseSaid.setAttribute("role", "status");
    this.pauses = make("p", "pauses");
    this.drawn = "";
    this.draw(this.until);
    return make(
      "section", "card words",
      make("h2", "", t("gate.words")), form, this.queueSaid,
      make("p", "", t("gate.pause")), this.pauses, this.pauseSaid
    );
  }

  /** Show until when the gate pauses; undefined: it does not. */
  draw(until) {
    this.until = until;
    const drawn = this.language() + (until || "");
    if (!this.pauses || this.drawn === drawn) return;
    this.drawn = drawn;
    const focused = this.pauses.contains(document.activeElement);
    this.pauses.textContent = "";
    if (until) {
      this.pauses.appendChild(make("strong", "", this.t("gate.paused_until", { until: this.hourOf(until) })));
      this.act(this.t("gate.resume"), function () { this.pause(0); });
    } else {
      PAUSES_MIN.forEach(function (minutes) {
        this.act(this.t("gate.pause_for", { minutes: minutes }), function () { this.pause(minutes); });
      }, this);
    }
    if (focused) this.pauses.querySelector("button").focus();
  }

  act(words, does) {
    const button = make("button", "", words);
    button.type = "button";
    button.addEventListener("click", does.bind(this));
    this.pauses.appendChild(button);
  }

  hourOf(instant) {
    return new Date(instant).toLocaleTimeString(this.language() === "zh" ? "zh-CN" : "en-GB", { hour: "2-digit", minute: "2-digit" });
  }

  async sayQueue() {
    const vehicles = Number(this.vehicles.value);
    this.vehicles.value = "";
    const done = await this.insist("queue", "PUT", { vehicles: vehicles }, this.queueSaid);
    if (done) say(this.queueSaid, this.t("gate.queue_said", { count: vehicles, until: this.hourOf(done.shown_until) }));
  }

  async pause(minutes) {
    const done = minutes
      ? await this.insist("pause", "PUT", { minutes: minutes }, this.pauseSaid)
      : await this.insist("pause", "DELETE", undefined, this.pauseSaid);
    if (!done) return;
    say(this.pauseSaid, "");
    this.draw(done.paused_until);
  }

  /** Say it until it is kept, or refused, or something newer is said. Gives what was answered, or null. */
  async insist(what, method, body, said) {
    this.asked[what] += 1;
    const mine = this.asked[what];
    const outdated = function () { return this.asked[what] !== mine; }.bind(this);
    say(said, this.t("gate.word.sending"));
    const options = body === undefined ? {} : { body: body };
    const answer = await this.routing.insist(method, this.path + what, options, function () {
      say(said, this.t("gate.word.not_yet"));
    }.bind(this), outdated);
    if (outdated()) return null;
    if (answer.status === 200 || answer.status === 204) return answer.body || {};
    const problem = answer.body || {};
    say(said, this.t("gate.car.failed") + ": " + (problem.detail || problem.title || ""));
    return null;
  }

  /** Let the keyboard begin a count. */
  focus() {
    this.vehicles.focus();
  }
}
