// Dark or light: as the address says; a board is dark by default, other pages are as the machine is set.

/** Dress the page: "dark", "light" or "auto". */
export function dress(theme) {
  const light = window.matchMedia ? window.matchMedia("(prefers-color-scheme: light)") : { matches: false };
  const put = function () {
    document.documentElement.dataset.theme = theme === "auto" ? (light.matches ? "light" : "dark") : theme;
  };
  put();
  if (theme === "auto" && light.addEventListener) light.addEventListener("change", put);
}
