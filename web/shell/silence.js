// How long nothing was heard. Two clocks, because each has its fault: one stands still while a machine sleeps, the
// other leaps when its time is set. The longer silence counts: old numbers are never taken for new ones.

const BANNER_MS = 8000; // the banner stands within ten seconds
const LOST_MS = 60000; // from here on a number would mislead

/** Remembers when contact last was. */
export class Silence {
  constructor() {
    this.contact(Infinity);
  }

  /** There is contact, or was so many seconds ago. */
  contact(seconds) {
    this.wall = Date.now() - seconds * 1000;
    this.ticks = performance.now() - seconds * 1000;
    this.from = performance.now();
  }

  /** Milliseconds since contact; Infinity where there never was any. */
  length() {
    return Math.max(Date.now() - this.wall, performance.now() - this.ticks);
  }

  /** "live", "stale" or "lost"; "waiting" in the first seconds of a page. */
  phase() {
    const length = this.length();
    if (length === Infinity) return performance.now() - this.from < BANNER_MS ? "waiting" : "lost";
    return length < BANNER_MS ? "live" : length < LOST_MS ? "stale" : "lost";
  }
}
