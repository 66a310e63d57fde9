// "@" and "#" while a message is typed: the people, roles and channels to choose from, and what Discord sends for them.

import { displayName } from "./session.js";

const BEING_TYPED = /(?:^|\s)([@#])([^\s@#][^@#\n]{0,31}|)$/;
const MOST = 10; // as many as one sees at once

/** Returns who and what can be named here, as {text, token, detail}. */
function names({ actors, bot, channels, guild }) {
  const people = [...actors, bot.user].map((user) => ({
    text: `@${displayName(user)}`,
    token: `<@${user.id}>`,
    detail: user.bot ? "App" : user.role,
  }));
  const roles = (guild?.roles ?? [])
    .filter(({ name, managed }) => name !== "@everyone" && !managed)
    .map(({ id, name }) => ({ text: `@${name}`, token: `<@&${id}>`, detail: "Role" }));
  const places = channels
    .filter(({ name, guild_id: guildId }) => name && guildId === guild?.id)
    .map(({ id, name }) => ({ text: `#${name}`, token: `<#${id}>`, detail: "Channel" }));
  return [...people, ...roles, ...places];
}

/** Returns suggestions for the name that ends at the field's cursor, or [] when none is being typed. */
export function suggestNames(field, session, picked) {
  const before = field.value.slice(0, field.selectionStart);
  const typed = BEING_TYPED.exec(before);
  if (!typed) return [];
  const wanted = (typed[1] + typed[2]).toLowerCase();
  const found = names(session).filter(({ text }) => text.toLowerCase().startsWith(wanted));
  return found.slice(0, MOST).map(({ text, detail }) => ({
    title: text,
    detail,
    pick: () => {
      field.setRangeText(`${text} `, before.length - wanted.length, before.length, "end");
      picked();
    },
  }));
}

/** Returns the text as Discord sends it: each name that exists as its mention. */
export function sendNames(text, session) {
  const known = names(session).sort((a, b) => b.text.length - a.text.length); // "@Ada Lovelace" before "@Ada"
  const tokens = new Map(known.map(({ text: name, token }) => [name.toLowerCase(), token]));
  const pattern = known.map(({ text: name }) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  return text.replace(new RegExp(`(?<=^|\\s)(?:${pattern})(?![\\w-])`, "gi"), (name) => tokens.get(name.toLowerCase()));
}
