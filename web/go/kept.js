// What this browser remembers, so that a page that is closed or loaded again finds its space: no name, no position.

const KEY = "bowei.go";

export class Kept {
  constructor() {
    let found = {};
    try {
      found = JSON.parse(localStorage.getItem(KEY) || "{}");
    } catch (error) {
      // A browser that remembers nothing: the page works until it is closed.
    }
    this.all = found;
  }

  /** Note that this diversion is being asked for; `wishes` go with it until it is answered. */
  begin(id, hospital, wishes) {
    this.put({ id: id, hospital: hospital, wishes: wishes });
  }

  /** Take over the diversion of a slip. */
  adopt(id, token) {
    this.put({ id: id, token: token, wishes: null });
  }

  answered() {
    this.put({ wishes: null });
  }

  end() {
    this.put({ id: "", wishes: null });
  }

  /** The body to send. */
  asked() {
    const body = { hospital_id: this.all.hospital };
    const wishes = this.all.wishes || {};
    Object.keys(wishes).forEach(function (name) { body[name] = wishes[name]; });
    return body;
  }

  put(changes) {
    Object.keys(changes).forEach(function (name) { this.all[name] = changes[name]; }, this);
    const written = Object.assign({}, this.all);
    // A position is sent once and written nowhere, here neither.
    if (written.wishes && written.wishes.position) {
      written.wishes = Object.assign({}, written.wishes);
      delete written.wishes.position;
    }
    try {
      localStorage.setItem(KEY, JSON.stringify(written));
    } catch (error) {
      // As above.
    }
  }

  get id() { return this.all.id || ""; }
  get hospital() { return this.all.hospital || ""; }
  get wishes() { return this.all.wishes; }
  get token() { return this.all.token || ""; }
  set token(token) { this.put({ token: token }); }
  get language() { return this.all.language; }
  set language(language) { this.put({ language: language }); }
  get large() { return Boolean(this.all.large); }
  set large(large) { this.put({ large: large }); }
}
