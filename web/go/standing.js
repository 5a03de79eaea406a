// How a diversion stands: the lot, how long its space is kept, the way, and what the driver can do.
import { make, say } from "../shell/elements.js";

const EXTEND_S = 900;
const SHORT_MS = 180000;
const APPS = ["amap", "tencent", "baidu", "apple", "google"];
const LIVE = ["held", "arrived"];

export class Standing {
  constructor(app, place, body) {
    this.app = app;
    this.place = place;
    this.body = body;
    this.sure = false;
    this.busy = false;
  }

  take(body) {
    const before = this.body.hold;
    const moved = body.hold && before && body.hold.ordinal > before.ordinal;
    this.body = body;
    this.sure = false;
    this.build();
    if (moved && body.lot) {
      this.app.alarm(this.app.t("go.moved", { lot: body.lot.name[this.app.language()] }), "bad");
      if (navigator.vibrate) navigator.vibrate([400, 200, 400]);
      this.place.querySelector("h2").focus();
    } else if (body.at_risk) {
      this.app.alarm(body.at_risk.text[this.app.language()], "warn");
    } else if (before && body.hold && before.state !== body.hold.state) {
      this.app.alarm("");
    }
  }

  /** Nothing will become of it any more. */
  over() {
    const hold = this.body.hold;
    return !hold || ["released", "expired", "revoked"].indexOf(hold.state) >= 0;
  }

  /** It is followed, so silence means something. */
  follows() {
    return !this.over();
  }

  build() {
    const t = this.app.t;
    const language = this.app.language();
    const body = this.body;
    const hold = body.hold;
    const held = hold && hold.state === "held" && body.outcome === "held";
    this.place.textContent = "";
    this.left = null;
    const card = make("section", "card " + body.outcome);
    if (body.lot && (body.outcome === "guided" || (hold && !this.over()))) {
      const title = make("h2", "lot", body.lot.name[language]);
      title.tabIndex = -1;
      card.appendChild(title);
    }
    card.appendChild(make("p", "", body.text[language]));
    if (held) {
      this.left = make("p", "left");
      this.left.setAttribute("role", "timer");
      card.appendChild(this.left);
    }
    if (hold && LIVE.indexOf(hold.state) >= 0) card.appendChild(this.facts());
    this.place.appendChild(card);
    if (body.nav && (held || body.outcome === "guided")) this.place.appendChild(this.navigation());
    this.place.appendChild(this.acts(held));
    this.tick();
  }

  facts() {
    const t = this.app.t;
    const language = this.app.language();
    const body = this.body;
    const list = make("dl", "facts");
    const add = function (key, words) {
      list.appendChild(make("dt", "", t(key)));
      list.appendChild(make("dd", "", words));
    };
    if (body.hold.code) {
      list.appendChild(make("dt", "", t("go.code")));
      list.appendChild(make("dd", "code", body.hold.code.slice(0, 4) + " " + body.hold.code.slice(4)));
    }
    if (body.lot) add("go.entrance", body.lot.entrance.name[language]);
    if (body.route && body.route.drive_s !== undefined && body.hold.state === "held") {
      add("go.drive", t("go.minutes", { count: minutes(body.route.drive_s) }));
    }
    if (body.route) {
      add("go.walk", t("go.walk_long", { count: minutes(body.route.walk_s), metres: body.route.walk_m }));
    }
    return list;
  }

  navigation() {
    const t = this.app.t;
    const nav = make("nav", "card");
    const links = make("div", "navigate");
    nav.setAttribute("aria-label", t("go.navigate"));
    APPS.forEach(function (name, position) {
      if (!this.body.nav[name]) return;
      const words = t("go.app." + name);
      const link = make("a", position ? "button" : "button first", position ? words : t("go.navigate_by", { app: words }));
      link.href = this.body.nav[name];
      link.rel = "noreferrer";
      links.appendChild(link);
    }, this);
    nav.appendChild(links);
    return nav;
  }

  acts(held) {
    const t = this.app.t;
    const hold = this.body.hold;
    const acts = make("section", "acts");
    const add = function (key, name, act) {
      const button = make("button", name, t(key));
      button.type = "button";
      button.addEventListener("click", act);
      acts.appendChild(button);
      return button;
    };
    if (held) {
      add("go.parked", "main wide", this.act.bind(this, "POST", "/arrive", { ordinal: hold.ordinal }));
      if (!hold.extended) add("go.extend", "wide", this.act.bind(this, "PATCH", "", { extend_s: EXTEND_S }));
      add("go.refused", "wide", this.act.bind(this, "POST", "/refused", { ordinal: hold.ordinal }));
      const cancel = add("go.cancel", "wide danger", function () {
        if (!this.sure) {
          this.sure = true;
          say(cancel, t("go.cancel_sure"));
          return;
        }
        this.giveUp();
      }.bind(this));
    } else if (hold && hold.state === "arrived") {
      add("go.refused", "wide", this.act.bind(this, "POST", "/refused", { ordinal: hold.ordinal }));
      add("go.left", "wide", this.act.bind(this, "POST", "/leave", undefined));
    } else if (hold && hold.state === "settled" && this.body.outcome === "held") {
      add("go.left", "wide", this.act.bind(this, "POST", "/leave", undefined));
      add("go.again", "wide", this.again.bind(this));
    } else {
      add("go.again", "main wide", this.again.bind(this));
    }
    return acts;
  }

  again() {
    const hospital = this.body.hospital_id;
    this.app.kept.end();
    this.app.choose(hospital);
  }

  /** Do something, again and again until it is answered: what is asked for is the same each time. */
  async act(method, path, sent) {
    if (this.busy) return;
    this.hurry(true);
    const app = this.app;
    const answer = await app.routing.insist(
      method,
      "/v1/diversions/" + this.body.diversion_id + path,
      sent === undefined ? {} : { body: sent },
      function () { app.alarm(app.t("go.not_yet")); }
    );
    this.hurry(false);
    if (answer.status === 200) {
      app.alarm("");
      app.show(answer);
    } else {
      const problem = answer.body || {};
      app.alarm(problem.detail || problem.title || app.t("go.failed"), "bad");
    }
  }

  async giveUp() {
    if (this.busy) return;
    this.hurry(true);
    const app = this.app;
    const answer = await app.routing.insist("DELETE", "/v1/diversions/" + this.body.diversion_id, {}, function () {
      app.alarm(app.t("go.not_yet"));
    });
    this.hurry(false);
    if (answer.status === 204 || answer.status === 404) this.again();
    else app.alarm((answer.body && answer.body.detail) || app.t("go.failed"), "bad");
  }

  hurry(busy) {
    this.busy = busy;
    Array.prototype.forEach.call(this.place.querySelectorAll(".acts button"), function (button) {
      button.disabled = busy;
    });
  }

  /** Twice a second: how long the space is kept. */
  tick() {
    if (!this.left) return;
    const leftMs = Math.max(0, Date.parse(this.body.hold.expires_at) - this.app.clock.now());
    const seconds = Math.floor(leftMs / 1000);
    const words = Math.floor(seconds / 60) + ":" + ("0" + (seconds % 60)).slice(-2);
    this.left.classList.toggle("short", leftMs < SHORT_MS);
    say(this.left, words);
  }
}

function minutes(seconds) {
  return Math.max(1, Math.ceil(seconds / 60));
}
