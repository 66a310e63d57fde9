// Dates as Discord shows them, in the browser's locale and time zone.

const format = (date, options) => new Intl.DateTimeFormat(undefined, options).format(date);

const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
  s: { dateStyle: "short", timeStyle: "short" },
  S: { dateStyle: "short", timeStyle: "medium" },
};

const UNITS = [
  ["year", 31536000],
  ["month", 2592000],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** Returns the date in one of the styles of `<t:...:style>`, except R. */
export const stamp = (date, style) => format(date, STYLES[style]);

/** Returns a relative time: "in 2 minutes", "5 seconds ago". */
export function relativeTime(date) {
  const seconds = Math.round((date.getTime() - Date.now()) / 1000);
  const [unit, size] = UNITS.find(([, candidate]) => Math.abs(seconds) >= candidate) ?? UNITS.at(-1);
  return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(Math.trunc(seconds / size), unit);
}

export const fullDate = (date) => format(date, STYLES.F);
export const clock = (date) => format(date, STYLES.t);
export const day = (date) => format(date, STYLES.D);

/** Returns the time of a message: "18:50" for today, "Yesterday at 18:50", else the date. */
export function messageTime(date) {
  const today = new Date();
  if (date.toDateString() === today.toDateString()) return clock(date);
  today.setDate(today.getDate() - 1);
  if (date.toDateString() === today.toDateString()) return `Yesterday at ${clock(date)}`;
  return stamp(date, "s");
}

/** Updates every relative time on the page each second. */
export function keepTimeStamps(root) {
  setInterval(() => {
    for (const element of root.querySelectorAll('time[data-style="R"]')) {
      const text = relativeTime(new Date(element.dateTime));
      if (element.textContent !== text) element.textContent = text;
    }
  }, 1000);
}
