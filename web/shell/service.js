// Asks a service, and repeats what got no answer: whoever asks makes the id, so the same request again is the same act.

const ANSWER_MS = 8000;
const POLL_MARGIN_MS = 10000;
const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 5000;
const AGAIN = [0, 429, 500, 502, 503, 504];

/** Where a service is: as the page says, else at the page's own address. `root` is what stands before the page's path. */
export function addressOf(service, root) {
  const said = document.querySelector('meta[name="bowei-' + service + '"]').content;
  return said || root;
}

/** An id that nobody guesses: 26 letters and digits after a prefix, 130 random bits. */
export function newId(prefix) {
  const bytes = new Uint8Array(26);
  crypto.getRandomValues(bytes);
  let id = prefix;
  bytes.forEach(function (byte) { id += "0123456789abcdefghjkmnpqrstvwxyz"[byte & 31]; });
  return id;
}

export class Service {
  constructor(address) {
    this.address = address;
    this.token = "";
  }

  /** Ask once. Gives {status, body, etag, retryMs}; status 0 where nobody answers in time, or what comes is no JSON. */
  ask(method, path, options) {
    const wanted = options || {};
    const headers = {};
    if (this.token) headers.Authorization = "Bearer " + this.token;
    if (wanted.body !== undefined) headers["Content-Type"] = "application/json";
    if (wanted.form !== undefined) headers["Content-Type"] = "application/x-www-form-urlencoded";
    if (wanted.etag) headers["If-None-Match"] = wanted.etag;
    const late = new Promise(function (resolve) {
      setTimeout(resolve, (wanted.waitS || 0) * 1000 + (wanted.waitS ? POLL_MARGIN_MS : ANSWER_MS), nothing());
    });
    const answer = fetch(this.address + path, {
      method: method,
      headers: headers,
      cache: "no-store",
      body: wanted.body === undefined ? wanted.form : JSON.stringify(wanted.body),
    }).then(read, nothing);
    return Promise.race([answer, late]);
  }

  /** Ask as somebody else. */
  as(token) {
    const other = new Service(this.address);
    other.token = token;
    return other;
  }

  /** Fetch a file, such as a drawing; null where there is none to be had. */
  file(path) {
    return fetch(this.address + path, { headers: { Authorization: "Bearer " + this.token }, cache: "no-store" }).then(
      function (response) { return response.ok ? response.blob() : null; },
      function () { return null; }
    );
  }

  /** Ask until there is an answer that means something, or `stopped()`. `tell(tries)` is called before each repetition. */
  async insist(method, path, options, tell, stopped) {
    let pause = FIRST_PAUSE_MS;
    for (let tries = 1; ; tries += 1) {
      const answer = await this.ask(method, path, options);
      if (AGAIN.indexOf(answer.status) < 0) return answer;
      if (stopped && stopped()) return answer;
      if (tell) tell(tries, answer);
      await sleep(Math.max(pause, answer.retryMs) * (0.7 + Math.random() * 0.6));
      if (stopped && stopped()) return answer;
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }
}

export function sleep(ms) {
  return new Promise(function (resolve) { setTimeout(resolve, ms); });
}

function nothing() {
  return { status: 0, body: null, etag: "", retryMs: 0 };
}

function read(response) {
  const answer = {
    status: response.status,
    body: null,
    etag: response.headers.get("ETag") || "",
    retryMs: Math.min(LONGEST_PAUSE_MS, Number(response.headers.get("Retry-After") || 0) * 1000) || 0,
  };
  if (response.status === 204 || response.status === 304) return answer;
  return response.json().then(
    function (body) {
      answer.body = body;
      return answer;
    },
    nothing
  );
}
