// A party signs in with its secret, and gets a token for ten minutes, again and again while the window is open. Neither is
// kept anywhere else: a window that is loaded again asks again, as a browser's own store of passwords can answer.
import { make, say } from "../shell/elements.js";

const BEFORE_IT_IS_OVER_S = 60;
const AGAIN_S = 5;

export class SignIn {
  /** `changed` is called when somebody is signed in, or no longer is. */
  constructor(t, registry, changed) {
    this.t = t;
    this.registry = registry;
    this.changed = changed;
    this.forgotten();
  }

  /** Sign in with what stands in the fragment, which a browser sends to nobody: as the demo prints it. */
  async fromAddress() {
    const said = new URLSearchParams(location.hash.slice(1));
    if (!said.get("party") || !said.get("secret")) return;
    history.replaceState(null, "", location.pathname + location.search);
    this.party = said.get("party");
    this.secret = said.get("secret");
    if (await this.renew() !== 200) this.forgotten();
  }

  known() {
    return Boolean(this.registry.token);
  }

  forgotten() {
    clearTimeout(this.timer);
    this.registry.token = "";
    this.party = "";
    this.secret = "";
  }

  forget() {
    this.forgotten();
    this.changed();
  }

  build() {
    const t = this.t;
    const party = this.field("text", "username", t("operator.party"));
    const secret = this.field("password", "current-password", t("operator.secret"));
    const button = make("button", "main wide", t("operator.sign_in"));
    button.type = "submit";
    const said = make("p", "");
    said.setAttribute("role", "alert");
    const form = make("form", "card", party.label, secret.label, button, said);
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      this.enter(party.input.value.trim(), secret.input.value.trim(), said);
    }.bind(this));
    return form;
  }

  field(type, holds, words) {
    const input = make("input", "");
    input.type = type;
    input.autocomplete = holds;
    input.required = true;
    return { input: input, label: make("label", "", words, input) };
  }

  async enter(party, secret, said) {
    say(said, "");
    this.party = party;
    this.secret = secret;
    const status = await this.renew();
    if (status === 200) {
      this.changed();
      return;
    }
    this.forgotten();
    say(said, this.t(status === 400 || status === 401 ? "operator.wrong" : "operator.no_answer"));
  }

  async renew() {
    const form = "grant_type=client_credentials&client_id=" + encodeURIComponent(this.party) +
      "&client_secret=" + encodeURIComponent(this.secret);
    const before = this.registry.token;
    this.registry.token = "";
    const answer = await this.registry.ask("POST", "/v1/token", { form: form });
    this.registry.token = answer.status === 200 ? answer.body.access_token : before;
    if (answer.status === 401 && before) {
      // The secret was changed, or the party suspended: nobody goes on as if nothing were.
      this.forget();
      return 401;
    }
    const wait = answer.status === 200 ? answer.body.expires_in - BEFORE_IT_IS_OVER_S : AGAIN_S;
    if (answer.status === 200 || before) this.timer = setTimeout(this.renew.bind(this), wait * 1000);
    return answer.status;
  }
}
