// Making elements without writing HTML: what comes from outside is always text.

/** Make an element with a class, and texts or elements in it. */
export function make(tag, name) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  for (let place = 2; place < arguments.length; place += 1) {
    const child = arguments[place];
    element.appendChild(typeof child === "string" ? document.createTextNode(child) : child);
  }
  return element;
}

/** Change a text only where it is another: a reader is not told the same again. */
export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}
