// The cars that this console sent away: what became of each request, honestly. A car is held a space when routing has
// said so, and not before.
import { make } from "../shell/elements.js";

const MOST = 20;

export class Cars {
  /** `tell` reads words out. */
  constructor(t, language, hospitalId, routing, tell) {
    this.t = t;
    this.language = language;
    this.path = "/v1/hospitals/" + encodeURIComponent(hospitalId) + "/diversions";
    this.routing = routing;
    this.tell = tell;
    this.name = "bowei.gate.cars." + hospitalId;
    this.cars = JSON.parse(sessionStorage.getItem(this.name) || "[]");
    this.list = make("ol", "cars");
    this.cars.forEach(function (car) {
      if (car.state === "sending") this.insist(car);
    }, this);
  }

  build() {
    this.draw();
    return make("section", "", make("h2", "", this.t("gate.cars")), this.list);
  }

  /** Send a car: it stands in the list at once, as not yet answered. */
  send(id, plate) {
    const car = { id: id, plate: plate, state: "sending", tries: 0, at: new Date().toISOString() };
    this.cars.unshift(car);
    this.cars.length = Math.min(this.cars.length, MOST);
    this.keep();
    this.insist(car);
  }

  async insist(car) {
    const self = this;
    const answer = await this.routing.insist(
      "POST",
      this.path,
      { body: bodyOf(car) },
      function (tries) {
        car.tries = tries;
        self.draw();
      },
      function () { return car.state !== "sending"; }
    );
    if (car.state !== "sending") return;
    this.took(car, answer);
    this.tell(this.wordsOf(car));
    this.keep();
  }

  took(car, answer) {
    delete car.plate; // it has been said, and is kept nowhere
    if (answer.status !== 200 && answer.status !== 201) {
      const problem = answer.body || {};
      car.state = "failed";
      car.why = problem.detail || problem.title || "";
      return;
    }
    const diversion = answer.body.diversion;
    car.state = diversion.outcome;
    car.text = diversion.text;
    car.lot = diversion.lot ? diversion.lot.name : null;
    car.code = diversion.hold ? diversion.hold.code : "";
    car.token = answer.body.driver_token;
    car.slip = answer.body.slip || "";
  }

  wordsOf(car) {
    const language = this.language();
    if (car.state === "sending") return this.t(car.tries ? "gate.car.not_yet" : "gate.car.sending");
    if (car.state === "failed") return this.t("gate.car.failed") + (car.why ? ": " + car.why : "");
    if (car.state === "undone") return this.t("gate.car.undone");
    return car.text[language];
  }

  keep() {
    // Without plates: a window that is closed by mistake comes back, and nothing of anybody stands in it.
    const kept = this.cars.map(function (car) {
      const copy = Object.assign({}, car);
      delete copy.plate;
      delete copy.shown;
      return copy;
    });
    sessionStorage.setItem(this.name, JSON.stringify(kept));
    this.draw();
  }

  draw() {
    const focused = document.activeElement && document.activeElement.dataset.act;
    this.list.textContent = "";
    this.cars.forEach(function (car, position) { this.list.appendChild(this.drawCar(car, position)); }, this);
    if (focused) {
      const again = this.list.querySelector('[data-act="' + focused + '"]');
      if (again) again.focus();
    }
  }

  drawCar(car, position) {
    const language = this.language();
    const held = car.state === "held";
    const row = make("li", "car " + car.state);
    const first = make("p", "first");
    first.appendChild(make("span", "lot", car.lot && held ? car.lot[language] : this.wordsOf(car)));
    if (held && car.code) first.appendChild(make("span", "code", car.code.slice(0, 4) + " " + car.code.slice(4)));
    row.appendChild(first);
    if (held) row.appendChild(make("p", "quiet", this.wordsOf(car)));
    const acts = make("p", "acts");
    const act = function (key, name, shortcut, does) {
      const button = make("button", name, this.t(key));
      button.type = "button";
      button.dataset.act = car.id + key;
      if (shortcut && position === 0) button.appendChild(make("kbd", "", shortcut));
      button.addEventListener("click", does.bind(this, car));
      acts.appendChild(button);
    }.bind(this);
    if (held && car.slip) {
      act(car.shown ? "gate.hide_slip" : "gate.slip", "", "S", this.toggleSlip);
      if (car.shown) act("gate.print", "", "", this.print);
    }
    if (held || car.state === "sending") act("gate.undo", "danger", "U", this.undo);
    if (acts.firstChild) row.appendChild(acts);
    if (car.shown && held) {
      const slip = make("img", "slip");
      slip.src = car.shown;
      slip.alt = this.t("gate.slip_of", { code: car.code });
      row.appendChild(slip);
    }
    car.row = row;
    Object.defineProperty(car, "row", { enumerable: false });
    return row;
  }

  async toggleSlip(car) {
    if (car.shown) {
      URL.revokeObjectURL(car.shown);
      delete car.shown;
      this.draw();
      return;
    }
    const drawn = await this.routing.file(car.slip);
    if (!drawn) {
      this.tell(this.t("gate.no_answer"));
      return;
    }
    car.shown = URL.createObjectURL(drawn);
    this.draw();
  }

  print(car) {
    car.row.classList.add("printed");
    window.print();
    car.row.classList.remove("printed");
  }

  /** Give the space up again. What was not answered yet is given up too, so that it can't be held later. */
  async undo(car) {
    const before = car.state;
    car.state = "undone";
    this.keep();
    let token = car.token;
    if (!token) {
      // Nobody has said whether it is held: the same request again tells, and gives the token that opens it.
      const answer = await this.routing.insist("POST", this.path, { body: bodyOf(car) });
      if (answer.status !== 200 && answer.status !== 201) return;
      token = answer.body.driver_token;
    }
    const answer = await this.routing.as(token).insist("DELETE", "/v1/diversions/" + car.id, {});
    if (answer.status === 204 || answer.status === 404) return;
    car.state = before;
    this.tell(this.t("gate.car.failed"));
    this.keep();
  }

  undoLast() {
    const car = this.cars[0];
    if (car && (car.state === "held" || car.state === "sending")) this.undo(car);
  }

  slipOfLast() {
    const car = this.cars[0];
    if (car && car.state === "held" && car.slip) this.toggleSlip(car);
  }
}

function bodyOf(car) {
  const body = { diversion_id: car.id };
  if (car.plate) body.plate = car.plate;
  return body;
}
