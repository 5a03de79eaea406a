// What a screen needs that nobody touches for months: it stays awake, and is loaded afresh once a night.

const FROM_HOUR = 3;
const MINUTES = 60;
const LATEST_HOUR = 5;
const LOOK_EVERY_MS = 30000;

/** Keep the screen on, where the browser can. */
export function stayAwake() {
  if (!navigator.wakeLock) return;
  const hold = function () {
    if (document.visibilityState !== "visible") return;
    navigator.wakeLock.request("screen").catch(function () {
      // Refused, as on a low battery: the machine's own settings hold.
    });
  };
  hold();
  document.addEventListener("visibilitychange", hold);
}

/** Load the page afresh each night at a minute of its own between 03:00 and 04:00, and only if the server answers. */
export function reloadNightly(name) {
  let minute = 0;
  for (let place = 0; place < name.length; place += 1) minute = (minute * 31 + name.charCodeAt(place)) % MINUTES;
  const loadedAt = Date.now();
  setInterval(function () {
    const now = new Date();
    const quiet = new Date(now.getFullYear(), now.getMonth(), now.getDate(), FROM_HOUR, minute).getTime();
    if (loadedAt >= quiet || now.getTime() < quiet || now.getHours() >= LATEST_HOUR) return;
    fetch(location.href, { cache: "no-store" }).then(
      function (response) {
        if (response.ok) location.reload();
      },
      function () {
        // Nobody answers: what is shown is more than an error page would be.
      }
    );
  }, LOOK_EVERY_MS);
}
