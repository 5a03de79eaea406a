// Which hospital, and what the car needs.
import { ask } from "../shell/feed.js";
import { make, say } from "../shell/elements.js";

const AGAIN_MS = 3000;
const POSITION_MS = 8000;

export class Choosing {
  /** `hospital` is chosen already, if its id is known. */
  constructor(app, place, hospital) {
    this.app = app;
    this.place = place;
    this.chosen = hospital;
    this.hospitals = null;
    this.asking = false;
  }

  build() {
    this.place.textContent = "";
    if (!this.hospitals) {
      this.place.appendChild(make("p", "card", this.app.t("go.looking")));
      this.load();
      return;
    }
    const one = this.hospitals.filter(function (found) { return found.hospital_id === this.chosen; }, this)[0];
    if (one) this.buildOne(one);
    else this.buildList();
  }

  async load() {
    if (this.asking) return;
    this.asking = true;
    const answer = await ask(this.app.root + "/v1/hospitals");
    this.asking = false;
    if (answer.status === 200) {
      this.app.alarm("");
      this.hospitals = answer.body.items;
      if (this.hospitals.length === 1) this.chosen = this.hospitals[0].hospital_id;
      this.build();
      return;
    }
    this.app.alarm(this.app.t("go.trying"));
    setTimeout(this.load.bind(this), AGAIN_MS);
  }

  buildList() {
    const language = this.app.language();
    const list = make("ul", "hospitals");
    this.hospitals.forEach(function (hospital) {
      const button = make("button", "wide", make("span", "", hospital.name[language]));
      button.type = "button";
      button.addEventListener("click", function () {
        this.chosen = hospital.hospital_id;
        this.build();
        this.place.querySelector("h2").focus();
      }.bind(this));
      list.appendChild(make("li", "", button));
    }, this);
    this.place.appendChild(make("h2", "", this.app.t("go.choose")));
    this.place.appendChild(list);
  }

  buildOne(hospital) {
    const t = this.app.t;
    const title = make("h2", "lot", hospital.name[this.app.language()]);
    title.tabIndex = -1;
    const go = make("button", "main wide", t("go.find"));
    go.type = "submit";
    this.plate = input("text", 16);
    this.plate.autocapitalize = "characters";
    this.disabled = input("checkbox");
    this.here = input("checkbox");
    const form = make(
      "form",
      "",
      make("label", "", t("go.plate"), this.plate),
      make("label", "tick", this.disabled, t("go.disabled")),
      make("label", "tick", this.here, t("go.position")),
      go
    );
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      go.disabled = true;
      say(go, t("go.looking"));
      this.begin(hospital.hospital_id);
    }.bind(this));
    this.place.appendChild(make("section", "card", title, make("p", "quiet", hospital.text[this.app.language()]), form));
    if (this.hospitals.length > 1) {
      const others = make("button", "wide", t("go.others"));
      others.type = "button";
      others.addEventListener("click", function () {
        this.chosen = "";
        this.build();
      }.bind(this));
      this.place.appendChild(others);
    }
  }

  async begin(hospital) {
    const wishes = {};
    const plate = this.plate.value.trim();
    if (plate) wishes.plate = plate.toUpperCase();
    if (this.disabled.checked) wishes["class"] = "disabled";
    const position = this.here.checked ? await whereAmI() : null;
    if (position) wishes.position = position;
    this.app.begin(hospital, wishes);
  }
}

function input(type, most) {
  const made = make("input", "");
  made.type = type;
  made.autocomplete = "off";
  if (most) made.maxLength = most;
  return made;
}

/** Where the driver is, if the browser may say. Browsers give WGS-84. */
function whereAmI() {
  return new Promise(function (resolve) {
    if (!navigator.geolocation) {
      resolve(null);
      return;
    }
    navigator.geolocation.getCurrentPosition(
      function (found) {
        resolve({ lat: found.coords.latitude, lon: found.coords.longitude, datum: "wgs84" });
      },
      function () { resolve(null); },
      { timeout: POSITION_MS, maximumAge: 60000, enableHighAccuracy: true }
    );
  });
}
