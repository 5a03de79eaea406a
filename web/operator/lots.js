// A party's lots: what each lends now, one tap that pauses it, and who is on the way to it.
import { ask } from "../shell/feed.js";
import { make, say } from "../shell/elements.js";

export class Lots {
  constructor(t, language, root, registry, tell) {
    this.t = t;
    this.language = language;
    this.root = root;
    this.registry = registry;
    this.tell = tell;
    this.cards = {};
    this.element = make("div", "lots");
  }

  build() {
    this.cards = {};
    this.element.textContent = "";
    return this.element;
  }

  /** Look at everything anew; false where the registry does not answer. */
  async look() {
    const answer = await this.registry.ask("GET", "/v1/lots", {});
    if (answer.status !== 200) return false;
    if (!answer.body.items.length && !this.element.firstChild) {
      this.element.appendChild(make("p", "card", this.t("operator.no_lots")));
    }
    await Promise.all(answer.body.items.map(function (lot) { return this.lookAt(lot); }, this));
    return true;
  }

  async lookAt(lot) {
    const path = "/v1/lots/" + encodeURIComponent(lot.lot_id);
    const answers = await Promise.all([ask(this.root + path), this.registry.ask("GET", path + "/coming", {})]);
    const card = this.cards[lot.lot_id] || this.makeCard(lot);
    this.fill(card, lot, answers[0].status === 200 ? answers[0].body : null);
    this.fillComing(card, answers[1].status === 200 ? answers[1].body.items : null);
  }

  makeCard(lot) {
    const card = {
      free: make("strong", "", "--"), held: make("strong", "", "--"), offered: make("strong", "", "--"),
      name: make("h2", ""), state: make("p", ""), button: make("button", ""), coming: make("ol", "coming"),
      title: make("h3", ""), sure: false,
    };
    card.state.setAttribute("role", "status");
    card.button.type = "button";
    card.button.addEventListener("click", function () { this.turn(card); }.bind(this));
    card.element = make(
      "section", "card lot", card.name,
      make(
        "ul", "facts",
        make("li", "", card.free, this.t("operator.free")),
        make("li", "", card.held, this.t("operator.held")),
        make("li", "", card.offered, this.t("operator.offered"))
      ),
      card.state, card.button, card.title, card.coming
    );
    card.element.dataset.lot = lot.lot_id;
    this.element.appendChild(card.element);
    this.cards[lot.lot_id] = card;
    return card;
  }

  fill(card, lot, now) {
    card.lot = lot;
    say(card.name, lot.name[this.language()]);
    say(card.free, now && now.free !== undefined ? String(now.free) : "--");
    say(card.held, now ? String(now.held) : "--");
    say(card.offered, now && now.offered !== undefined ? String(now.offered) : "--");
    card.element.className = lot.paused ? "card lot paused" : "card lot";
    say(card.state, this.t(lot.paused ? "operator.paused" : "operator.sharing"));
    card.button.className = lot.paused ? "main" : "danger";
    say(card.button, this.t(lot.paused ? "operator.resume" : card.sure ? "operator.sure" : "operator.pause"));
  }

  fillComing(card, coming) {
    card.title.hidden = coming === null;
    const said = JSON.stringify([this.language(), coming]);
    if (card.said === said) return;
    card.said = said;
    card.coming.textContent = "";
    if (coming === null) return;
    say(card.title, this.t("operator.coming", { count: coming.length }));
    coming.forEach(function (car) {
      const until = new Date(car.expires_at).toLocaleTimeString(this.language() === "zh" ? "zh-CN" : "en-GB", { hour: "2-digit", minute: "2-digit" });
      const code = car.code ? car.code.slice(0, 4) + " " + car.code.slice(4) : "--";
      const state = car.state === "arrived" ? this.t("operator.arrived") : this.t("operator.until", { until: until });
      card.coming.appendChild(make("li", "", make("span", "code", code), make("span", "", state)));
    }, this);
  }

  /** Pause with a second tap, for drivers are sent elsewhere by it; resume with one. */
  async turn(card) {
    if (!card.lot.paused && !card.sure) {
      card.sure = true;
      say(card.button, this.t("operator.sure"));
      return;
    }
    card.sure = false;
    card.button.disabled = true;
    const path = "/v1/lots/" + encodeURIComponent(card.lot.lot_id) + (card.lot.paused ? "/resume" : "/pause");
    const answer = await this.registry.ask("POST", path, {});
    card.button.disabled = false;
    if (answer.status === 200) this.fill(card, answer.body, null);
    else this.fill(card, card.lot, null);
    this.tell(answer.status === 200 ? "" : this.t("operator.not_done"));
    this.lookAt(card.lot);
  }
}
