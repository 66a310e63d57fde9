// How the bot is, as far as this page knows.

import { displayName } from "./session.js";

/** Returns a class for the dot, and a sentence. */
export function botState({ bot, connected }) {
  const name = displayName(bot.user);
  if (!connected) return { look: "lost", text: "Connection lost" };
  if (!bot.online) return { look: "away", text: `${name} is offline` };
  if (bot.status === "idle") return { look: "idle", text: `${name} is ${bot.text || "idle"}` };
  return { look: "online", text: `${name} is online` };
}
