// The list of lots: the numbers and words that boards show, and how old they are.
import { make, say } from "../shell/elements.js";

/** Give a lot's level, as boards say it: a lot of which spaces can be promised is not full. */
export function levelOf(lot) {
  return lot.level === "full" && lot.offered ? "almost_full" : lot.level;
}

/** Give what is known of a lot's free spaces in a few signs. */
export function freeOf(lot, t) {
  const level = levelOf(lot);
  if (level === "full" || level === "closed") return t("board.shows." + level);
  if (lot.free_bound === "at_most") return "≤" + lot.free_at_most;
  if (lot.level === "unknown" || lot.free === undefined) return "--";
  return lot.free_bound === "at_least" ? (lot.free === 1 ? t("board.shows.some") : lot.free + "+") : String(lot.free);
}

/** Say what is wrong with what a lot says: it is old, it is silent, it is not believed; "" where nothing is. */
export function troubleOf(lot) {
  if (lot.freshness === "expired") return "expired";
  if (lot.freshness === "stale") return "stale";
  return lot.faults.length ? "doubted" : "";
}

export class Lots {
  constructor(t, language, root) {
    this.t = t;
    this.language = language;
    this.root = root;
    this.rows = {};
    this.caption = make("caption", "");
    const head = make("tr", "");
    ["name", "free", "held", "state", "age"].forEach(function (column) {
      const named = ["free", "held", "age"].indexOf(column) >= 0;
      const cell = make("th", named ? column : "", t("map.column." + column));
      cell.scope = "col";
      head.appendChild(cell);
    });
    this.body = make("tbody", "");
    this.element = make("table", "", this.caption, make("thead", "", head), this.body);
  }

  /** Show these lots of so many; each keeps its row. */
  show(lots, total, lost) {
    say(this.caption, this.t("map.shown", { shown: lots.length, total: total }));
    const wanted = {};
    lots.forEach(function (lot, place) {
      wanted[lot.id] = true;
      const row = this.rows[lot.id] || this.make(lot);
      this.fill(row, lot, lost);
      if (this.body.children[place] !== row.element) {
        this.body.insertBefore(row.element, this.body.children[place] || null);
      }
    }, this);
    Object.keys(this.rows).forEach(function (id) {
      if (wanted[id]) return;
      this.rows[id].element.remove();
      delete this.rows[id];
    }, this);
  }

  make(lot) {
    const link = make("a", "");
    link.href = this.root + "/board/" + encodeURIComponent(lot.id);
    const row = {
      link: link, free: make("td", "free"), held: make("td", "held"), word: make("td", ""), age: make("td", "age"),
    };
    const name = make("th", "", link);
    name.scope = "row";
    row.element = make("tr", "", name, row.free, row.held, row.word, row.age);
    row.element.dataset.lot = lot.id;
    this.rows[lot.id] = row;
    return row;
  }

  fill(row, lot, lost) {
    const level = lost ? "unknown" : levelOf(lot);
    say(row.link, lot.name[this.language]);
    say(row.free, lost ? "--" : freeOf(lot, this.t));
    say(row.held, lost ? "--" : String(lot.held));
    say(row.word, this.t("map.level." + level));
    row.free.className = "free " + level;
    row.word.className = "word " + level;
    const age = lot.age_s === undefined ? this.t("map.never") : this.age(lot.age_s);
    const trouble = troubleOf(lot);
    say(row.age, trouble ? "⚠ " + this.t("map.trouble." + trouble) + " · " + age : age);
    row.age.className = trouble ? "age trouble" : "age";
    row.age.title = lot.faults.join(", ");
  }

  age(seconds) {
    if (seconds < 120) return this.t("map.age.seconds", { count: seconds });
    if (seconds < 7200) return this.t("map.age.minutes", { count: Math.floor(seconds / 60) });
    return this.t("map.age.hours", { count: Math.floor(seconds / 3600) });
  }
}
