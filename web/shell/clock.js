// The city's clock. A telephone's own may be wrong by minutes, and a demo's day lasts minutes: times that were promised
// are held against the clock of who promised them.
import { ask } from "./feed.js";

export class CityClock {
  constructor() {
    this.at = Date.now();
    this.from = performance.now();
    this.speed = 1;
  }

  /** Ask what time it is; the half of the way there and back is taken off. Without an answer the last one goes on. */
  async set(root) {
    const asked = performance.now();
    const answer = await ask(root + "/v1/time");
    if (answer.status !== 200) return;
    this.speed = answer.body.speed || 1;
    this.from = (asked + performance.now()) / 2;
    this.at = Date.parse(answer.body.now);
  }

  /** Milliseconds since 1970, of the city. */
  now() {
    return this.at + (performance.now() - this.from) * this.speed;
  }
}
