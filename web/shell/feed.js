// Hears from the server for as long as the page is open, whatever happens to the network.
//
// A stream of events where the browser has one. A stream that says nothing for eight seconds is dead, even if nobody
// closed it: it is opened anew. Where streams never say anything (a proxy keeps them back) or don't exist, it asks
// every two seconds, and tries a stream again later.

const SILENT_MS = 8000;
const AGAIN_MS = 1000;
const POLL_MS = 2000;
const ANSWER_MS = 5000;
const FRUITLESS_MOST = 2;
const POLLS_BEFORE_STREAM = 60;

/** Ask once; give {status, body}, or status 0 where nobody answers in time. */
export function ask(address) {
  const late = new Promise(function (resolve) {
    setTimeout(resolve, ANSWER_MS, { status: 0, body: null });
  });
  const answer = fetch(address, { cache: "no-store" }).then(
    function (response) {
      const status = response.status;
      return response.json().then(
        function (body) { return { status: status, body: body }; },
        function () { return { status: 0, body: null }; }
      );
    },
    function () { return { status: 0, body: null }; }
  );
  return Promise.race([answer, late]);
}

export class Feed {
  /** `hear(event, data)` is called with `whole` ("board", "gate") and "beat", and with "refused" and a status. */
  constructor(streamAddress, onceAddress, hear, whole) {
    this.whole = whole || "board";
    this.streamAddress = streamAddress;
    this.onceAddress = onceAddress;
    this.hear = hear;
    this.source = null;
    this.fruitless = window.EventSource ? 0 : FRUITLESS_MOST;
    this.polls = 0;
    this.busy = false;
  }

  start() {
    this.connect();
    setInterval(this.watch.bind(this), 1000);
    window.addEventListener("online", this.connect.bind(this));
    // A page that is left keeps no stream open: browsers allow few to one host.
    window.addEventListener("pagehide", this.close.bind(this));
    window.addEventListener("pageshow", function (event) {
      if (event.persisted) this.connect();
    }.bind(this));
  }

  connect() {
    this.close();
    this.heardAt = performance.now();
    this.heardHere = false;
    if (this.fruitless >= FRUITLESS_MOST) return;
    const source = new EventSource(this.streamAddress);
    const self = this;
    [this.whole, "beat"].forEach(function (name) {
      source.addEventListener(name, function (event) {
        self.heardAt = performance.now();
        self.heardHere = true;
        self.fruitless = 0;
        self.hear(name, JSON.parse(event.data));
      });
    });
    this.source = source;
  }

  /** Follow other addresses from now on. */
  turnTo(streamAddress, onceAddress) {
    this.streamAddress = streamAddress;
    this.onceAddress = onceAddress;
    this.connect();
  }

  close() {
    if (this.source) this.source.close();
    this.source = null;
  }

  /** Every second: is the stream alive? Where there is none, ask. */
  watch() {
    const now = performance.now();
    if (this.busy) return;
    if (this.fruitless >= FRUITLESS_MOST) {
      if (now - this.heardAt >= POLL_MS) this.poll();
      return;
    }
    const refused = this.source && this.source.readyState === 2;
    if (!this.source || now - this.heardAt >= SILENT_MS || (refused && now - this.heardAt >= AGAIN_MS)) this.revive();
  }

  /** The stream is dead. Ask once, which tells whether the server or only the stream is away, and open it anew. */
  async revive() {
    this.busy = true;
    const heardHere = this.heardHere;
    this.close();
    const answer = await ask(this.onceAddress);
    this.took(answer);
    if (answer.status === 200 && !heardHere) this.fruitless += 1;
    this.busy = false;
    this.connect();
  }

  async poll() {
    this.busy = true;
    const answer = await ask(this.onceAddress);
    this.heardAt = performance.now();
    this.took(answer);
    this.polls += 1;
    this.busy = false;
    if (window.EventSource && this.polls % POLLS_BEFORE_STREAM === 0) {
      this.fruitless = FRUITLESS_MOST - 1;
      this.connect();
    }
  }

  took(answer) {
    if (answer.status === 200) this.hear(this.whole, answer.body);
    else if (answer.status) this.hear("refused", answer.status);
  }
}
