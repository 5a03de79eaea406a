// Texts by name, in one language or in both, from the catalogues that the server reads.
import { TEXTS } from "../texts/texts.js";

const TAGS = { zh: "zh-Hans", en: "en" };

/** Give a text; {name} in it stands for a value. */
export function text(language, key, values) {
  return TEXTS[TAGS[language]][key].replace(/\{(\w+)\}/g, function (whole, name) {
    return values[name];
  });
}

/** Give the language that the address asks for, else the browser's: "zh" or "en". */
export function languageOf(asked) {
  if (asked === "zh" || asked === "en") return asked;
  return /^zh/i.test(navigator.language || "") ? "zh" : "en";
}

/** Say in the document itself which language it is in. */
export function speak(language) {
  document.documentElement.lang = TAGS[language];
}

/** Mark an element as being in a language. */
export function inLanguage(element, language) {
  element.lang = TAGS[language];
  return element;
}
