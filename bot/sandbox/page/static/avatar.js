// Avatars of people and the bot, drawn from their names, so that nothing is fetched.

import { h } from "./dom.js";
import { displayName } from "./session.js";

const HUES = { ada: 335, ben: 200, mia: 150, olga: 38 };

/** Draws a user's avatar; the bot's is a moving picture frame. Hidden from screen readers: the name is beside it. */
export function avatar(user, className = "") {
  if (user.bot)
    return h("span", { class: `avatar avatar-bot ${className}`, "aria-hidden": "true" }, h("span", { class: "frame" }));
  const name = displayName(user);
  const hue = HUES[name.toLowerCase()] ?? [...user.id].reduce((sum, digit) => (sum * 7 + Number(digit)) % 360, 0);
  return h(
    "span",
    { class: `avatar ${className}`, style: { "--hue": hue }, "aria-hidden": "true" },
    [...name][0].toUpperCase(),
  );
}

/** Draws "APP" beside a bot's name. */
export const appBadge = () => h("span", { class: "app-badge" }, "APP");
