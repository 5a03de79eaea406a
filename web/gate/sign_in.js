// Who may divert cars here: whoever has the gate's key. It is kept until the browser's window is closed, and nowhere else.
import { make, say } from "../shell/elements.js";

export class SignIn {
  constructor(t, hospitalId, routing, changed) {
    this.t = t;
    this.routing = routing;
    this.changed = changed;
    this.name = "bowei.gate." + hospitalId;
    this.path = "/v1/hospitals/" + encodeURIComponent(hospitalId) + "/diversions/none-of-this-name/slip";
    routing.token = sessionStorage.getItem(this.name) || this.fromAddress();
  }

  /** A key in the fragment, which a browser sends to nobody: as a QR for the staff may have it, and as the demo prints. */
  fromAddress() {
    const key = new URLSearchParams(location.hash.slice(1)).get("key") || "";
    if (key) {
      history.replaceState(null, "", location.pathname + location.search);
      sessionStorage.setItem(this.name, key);
    }
    return key;
  }

  known() {
    return Boolean(this.routing.token);
  }

  forget() {
    sessionStorage.removeItem(this.name);
    this.routing.token = "";
    this.changed();
  }

  build() {
    const t = this.t;
    const key = make("input", "");
    key.type = "password";
    key.autocomplete = "current-password";
    key.required = true;
    const button = make("button", "main wide", t("gate.sign_in"));
    button.type = "submit";
    const said = make("p", "");
    said.setAttribute("role", "alert");
    const form = make("form", "card", make("label", "", t("gate.key"), key), button, said);
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      this.enter(key.value.trim(), said);
    }.bind(this));
    return form;
  }

  async enter(key, said) {
    say(said, "");
    this.routing.token = key;
    // What only this key opens, and is not there: 404 says that it opens.
    const answer = await this.routing.ask("GET", this.path, {});
    if (answer.status === 404) {
      sessionStorage.setItem(this.name, key);
      this.changed();
      return;
    }
    this.routing.token = "";
    const refused = answer.status === 401 || answer.status === 403;
    say(said, this.t(refused ? "gate.key_wrong" : "gate.no_answer"));
  }
}
