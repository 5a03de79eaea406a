// Narrowing the list: by name, by what a driver needs, by hospital. What was chosen stays when the language changes.
import { make } from "../shell/elements.js";
import { levelOf, troubleOf } from "./lots.js";

const STATES = ["any", "room", "full", "closed", "unknown", "trouble"];
const ROOM = ["plenty", "few", "almost_full"];

function labelled(words, field) {
  return make("label", "", words, field);
}

function option(value, words) {
  const made = make("option", "", words);
  made.value = value;
  return made;
}

export class Filters {
  constructor(t, changed, before) {
    this.t = t;
    this.name = make("input");
    this.name.type = "search";
    this.state = make("select");
    STATES.forEach(function (state) { this.state.appendChild(option(state, t("map.state." + state))); }, this);
    this.hospital = make("select");
    this.hospital.appendChild(option("", t("map.any_hospital")));
    this.offered = "";
    this.element = make("form", "filters",
      labelled(t("map.filter.name"), this.name),
      labelled(t("map.filter.state"), this.state),
      labelled(t("map.filter.hospital"), this.hospital));
    this.element.setAttribute("role", "search");
    this.element.addEventListener("submit", function (event) { event.preventDefault(); });
    this.element.addEventListener("input", changed);
    this.wanted = "";
    if (before) {
      this.name.value = before.name.value;
      this.state.value = before.state.value;
      this.wanted = before.hospital.value;
    }
  }

  /** Offer the hospitals that there are. */
  offer(hospitals, language) {
    const offered = hospitals.map(function (one) { return one.hospital_id + one.name[language]; }).join("\n");
    if (offered === this.offered) return;
    this.offered = offered;
    const wanted = this.wanted || this.hospital.value;
    while (this.hospital.options.length > 1) this.hospital.remove(1);
    hospitals.forEach(function (one) {
      this.hospital.appendChild(option(one.hospital_id, one.name[language]));
    }, this);
    this.hospital.value = wanted;
    if (this.hospital.selectedIndex < 0) this.hospital.value = "";
    this.wanted = "";
  }

  /** Give the lots that fit. */
  choose(lots) {
    const words = this.name.value.trim().toLowerCase();
    const state = this.state.value;
    const hospital = this.wanted || this.hospital.value;
    return lots.filter(function (lot) {
      const named = !words || (lot.name.zh + " " + lot.name.en + " " + lot.id).toLowerCase().indexOf(words) >= 0;
      const level = levelOf(lot);
      const fits = state === "any" || level === state || (state === "room" && ROOM.indexOf(level) >= 0) ||
        (state === "trouble" && troubleOf(lot));
      const shared = !hospital || lot.sharing.some(function (row) { return row.hospital_id === hospital; });
      return named && fits && shared;
    });
  }
}
