// What a month of sharing brought: the lines of the registry's report, and the same as a file.
import { make, say } from "../shell/elements.js";

const COUNTED = ["held", "honoured", "refused", "moved", "expired", "released"];

export class Report {
  /** `now` gives the city's time, which in a demo is not this machine's. */
  constructor(t, language, registry, now) {
    this.t = t;
    this.language = language;
    this.registry = registry;
    this.now = now;
    this.ago = 0;
  }

  build() {
    const button = function (words, does) {
      const made = make("button", "", words);
      made.type = "button";
      made.addEventListener("click", does.bind(this));
      return made;
    }.bind(this);
    this.title = make("h2", "");
    this.next = button("›", function () { this.turn(-1); });
    this.next.setAttribute("aria-label", this.t("operator.month_after"));
    const before = button("‹", function () { this.turn(1); });
    before.setAttribute("aria-label", this.t("operator.month_before"));
    this.place = make("div", "report");
    this.place.tabIndex = 0;
    this.place.setAttribute("role", "region");
    this.said = make("p", "quiet");
    this.said.setAttribute("role", "status");
    this.look();
    return make(
      "section", "card",
      make("div", "months", this.title, before, this.next, button(this.t("operator.csv"), this.save)),
      this.said, this.place
    );
  }

  month() {
    const now = this.now();
    const first = new Date(Date.UTC(now.getFullYear(), now.getMonth() - this.ago, 1));
    return first.toISOString().slice(0, 7);
  }

  turn(by) {
    this.ago = Math.max(0, this.ago + by);
    this.look();
  }

  async look() {
    const month = this.month();
    this.next.disabled = this.ago === 0;
    say(this.title, this.t("operator.report", { month: month }));
    this.place.setAttribute("aria-label", this.title.textContent);
    const answer = await this.registry.ask("GET", "/v1/reports/" + month, {});
    if (month !== this.month()) return;
    this.place.textContent = "";
    if (answer.status !== 200) {
      say(this.said, this.t("operator.no_answer"));
      return;
    }
    say(this.said, answer.body.items.length ? "" : this.t("operator.nothing"));
    if (answer.body.items.length) this.place.appendChild(this.table(answer.body.items));
  }

  table(lines) {
    const t = this.t;
    const language = this.language();
    const head = make("tr", "");
    ["lot", "hospital"].concat(COUNTED, ["hours", "income"]).forEach(function (column) {
      const cell = make("th", "", t("operator.column." + column));
      cell.scope = "col";
      head.appendChild(cell);
    });
    const body = make("tbody", "");
    lines.forEach(function (line) {
      const first = make("th", "", line.lot_name ? line.lot_name[language] : line.lot_id);
      first.scope = "row";
      const row = make("tr", "", first, make("td", "", line.hospital_name ? line.hospital_name[language] : line.hospital_id));
      COUNTED.forEach(function (column) { row.appendChild(make("td", column, String(line[column]))); });
      row.appendChild(make("td", "", String(line.parked_hours)));
      row.appendChild(make("td", "", line.income === undefined ? "--" : line.income + " " + line.currency));
      body.appendChild(row);
    });
    return make("table", "", make("thead", "", head), body);
  }

  async save() {
    const month = this.month();
    const file = await this.registry.file("/v1/reports/" + month + ".csv");
    if (!file) {
      say(this.said, this.t("operator.no_answer"));
      return;
    }
    const link = make("a", "");
    link.href = URL.createObjectURL(file);
    link.download = "bowei-sharing-" + month + ".csv";
    link.click();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
  }
}
