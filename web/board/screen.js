// Draws a board. Elements stay where they are and only their words change, so that nothing flickers.
import { make, say } from "../shell/elements.js";
import { inLanguage, text } from "../shell/texts.js";
import { arrowOf } from "./arrow.js";

const WITH_NUMBER = { count: "", at_least: "+", at_most: "≤" };
const BANNERS = { waiting: "board.connecting", live: "", stale: "board.stale", lost: "board.lost" };
const SMALLEST_FIT = 0.5;
const CAR_PARK = /(公共)?(停车场|停车楼|停车库)$/;

export class Screen {
  constructor(place, languages, boardId) {
    this.place = place;
    this.languages = languages;
    this.boardId = boardId;
    this.view = null;
    this.shape = "";
    this.phase = "";
    this.wrong = "";
    this.asOf = "";
    this.alert = make("p", "alert");
    this.alert.setAttribute("role", "status");
    place.textContent = "";
    this.head = make("header", "head");
    this.lines = make("ol", "lines");
    [this.head, this.alert, this.lines].forEach(function (part) { place.appendChild(part); });
    this.measure();
  }

  /** How many lines are read well on this screen. */
  rowsThatFit() {
    return upright() ? 7 : 5;
  }

  /** Take the size of a line from the screen: by its height, and narrow screens by their width. */
  measure() {
    const lines = this.view ? Math.max(1, this.view.lines.length) : this.rowsThatFit();
    document.body.classList.toggle("tall", upright());
    const byHeight = window.innerHeight / (lines + 0.8);
    const byWidth = window.innerWidth / 5.4;
    this.place.style.setProperty("--u", Math.max(24, Math.min(byHeight, byWidth, window.innerHeight / 3.2)) + "px");
    this.fit();
  }

  take(view) {
    const shape = view.kind + view.lines.map(function (line) { return line.lot_id; }).join(" ");
    this.view = view;
    this.wrong = "";
    if (shape !== this.shape) {
      this.shape = shape;
      this.build();
    }
    this.fill(this.phase === "lost");
  }

  /** Remember until when the numbers are known to be good. */
  heard(asOf) {
    this.asOf = asOf;
  }

  /** The server knows no such board, or its address has a mistake: that stands until a board comes. */
  refused(status) {
    this.view = null;
    this.shape = "";
    this.head.textContent = "";
    this.lines.textContent = "";
    this.wrong = status === 404 ? "board.unknown" : "board.wrong";
  }

  /** Show how current it is: "waiting", "live", "stale" or "lost". Called several times a second. */
  show(phase) {
    this.warn(this.wrong || BANNERS[phase], this.wrong ? "lost" : phase);
    if (!this.view) return;
    // A clock that stands still is no clock.
    say(this.clock, phase === "live" ? this.timeOf(this.asOf) : "");
    if (phase === this.phase) return;
    this.phase = phase;
    this.fill(phase === "lost");
  }

  warn(key, kind) {
    const time = this.timeOf(this.asOf);
    const values = { time: time, id: this.boardId };
    this.alert.className = "alert " + kind;
    const words = key ? this.languages.map(function (one) { return text(one, key, values); }) : [];
    if (this.alert.textContent === words.join("")) return;
    this.alert.textContent = "";
    words.forEach(function (one, place) {
      this.alert.appendChild(inLanguage(make("span", place ? "second" : "", one), this.languages[place]));
    }, this);
    this.measure();
  }

  timeOf(instant) {
    if (!instant) return "--:--";
    const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    if (this.view) options.timeZone = this.view.timezone;
    return new Date(instant).toLocaleTimeString("zh-CN", options);
  }

  /** A text in each language: the first large, the second below it. */
  both(of) {
    const parts = document.createDocumentFragment();
    this.languages.forEach(function (language, place) {
      const words = of(language);
      if (words) parts.appendChild(inLanguage(make("span", place ? "second" : "first", words), language));
    });
    return parts;
  }

  /** A text in each language, one behind the other. */
  joined(key, between, values) {
    return this.languages.map(function (one) { return text(one, key, values); }).join(between);
  }

  build() {
    const view = this.view;
    this.head.textContent = "";
    this.lines.textContent = "";
    document.body.classList.toggle("lone", view.lines.length === 1);
    this.head.appendChild(make("h1", "", this.both(function (language) {
      return view.name ? view.name[language] : language === "zh" ? view.id : "";
    })));
    if (!this.head.textContent) this.head.firstChild.textContent = view.id;
    this.clock = make("p", "clock");
    this.head.appendChild(this.clock);
    this.cells = view.lines.map(this.buildLine, this);
    this.measure();
  }

  buildLine(line) {
    const cells = {
      row: make("li", "line"), arrow: make("span", "pointing"), name: make("p", "name"),
      count: make("p", "count"), big: make("span", "big"), small: make("span", "small"), of: null,
    };
    cells.count.appendChild(make("span", "box", cells.big, cells.small));
    [cells.arrow, cells.name, cells.count].forEach(function (cell) { cells.row.appendChild(cell); });
    this.lines.appendChild(cells.row);
    return cells;
  }

  fill(lost) {
    const view = this.view;
    const named = view.lines.filter(function (line, place) {
      return this.fillLine(this.cells[place], line, lost);
    }, this);
    if (named.length) this.fit();
  }

  /** Write a line; true where its name was written too. */
  fillLine(cells, line, lost) {
    const next = line.next && !lost;
    const named = JSON.stringify([line.name, line.arrow, line.walk_s, next]);
    const anew = cells.of !== named;
    if (anew) {
      cells.of = named;
      this.nameLine(cells, line, next);
    }
    const shows = lost ? "unknown" : line.shows;
    const level = lost ? "unknown" : line.level;
    cells.row.dataset.lot = line.lot_id;
    cells.row.dataset.shows = shows;
    cells.count.className = "count " + level;
    const first = this.languages[0];
    const rest = this.languages.slice(1);
    const word = function (language) { return text(language, "board.shows." + shows); };
    if (shows in WITH_NUMBER) {
      const sign = WITH_NUMBER[shows];
      say(cells.big, shows === "at_most" ? sign + line.number : line.number + sign);
      say(cells.small, this.joined("board.level." + level, "\n"));
      cells.big.classList.remove("word");
    } else {
      const unknown = shows === "unknown";
      say(cells.big, unknown ? "--" : word(first));
      say(cells.small, (unknown ? this.languages : rest).map(word).join("\n"));
      cells.big.classList.toggle("word", !unknown);
    }
    return anew;
  }

  nameLine(cells, line, next) {
    const languages = this.languages;
    cells.row.className = "line" + (next ? " next" : "");
    cells.arrow.textContent = "";
    if (line.arrow) {
      cells.arrow.appendChild(arrowOf(line.arrow, this.joined("arrow." + line.arrow, " ")));
    }
    cells.name.textContent = "";
    const lower = make("span", "lower");
    languages.forEach(function (language, place) {
      const part = inLanguage(make("span", place ? "second" : "first", shortName(line.name[language])), language);
      (place ? lower : cells.name).appendChild(part);
    });
    if (next) cells.name.appendChild(make("span", "here", this.joined("board.next", "\n")));
    if (line.walk_s !== undefined) {
      const minutes = Math.max(1, Math.ceil(line.walk_s / 60));
      lower.appendChild(make("span", "walk", this.joined("board.walk", " · ", { minutes: minutes })));
    }
    cells.name.appendChild(lower);
  }

  /** Make names that are too long for their place smaller, down to half. */
  fit() {
    (this.cells || []).forEach(function (cells) {
      let share = 1;
      cells.name.style.setProperty("--fit", "1");
      while (share > SMALLEST_FIT && cells.name.offsetHeight > cells.row.clientHeight * 0.94) {
        share -= 0.1;
        cells.name.style.setProperty("--fit", String(share));
      }
    });
  }
}

function upright() {
  return window.innerHeight > window.innerWidth;
}

/** On a board of car parks a name need not say that it is one. */
function shortName(name) {
  const short = name.replace(CAR_PARK, "");
  return short.length < 2 ? name : short;
}
