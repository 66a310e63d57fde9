// Turns Discord's markdown into elements, with names for mentions from the session. Never builds HTML from text.

import { h } from "./dom.js";
import { fullDate, relativeTime, stamp } from "./time.js";

const INLINE = [
  [/^\\([^\sA-Za-z0-9])/, (m) => m[1]],
  [/^``([^`]+)``|^`([^`]+)`/, (m) => h("code", {}, m[1] ?? m[2])],
  [/^\*\*\*([^]+?)\*\*\*/, (m, s) => h("strong", {}, h("em", {}, inline(m[1], s)))],
  [/^\*\*([^]+?)\*\*(?!\*)/, (m, s) => h("strong", {}, inline(m[1], s))],
  [/^__([^]+?)__(?!_)/, (m, s) => h("u", {}, inline(m[1], s))],
  [/^\*(?!\s)([^*]+?)\*/, (m, s) => h("em", {}, inline(m[1], s))],
  [/^_(?!\s)([^_]+?)_(?![A-Za-z0-9])/, (m, s) => h("em", {}, inline(m[1], s))],
  [/^~~([^]+?)~~/, (m, s) => h("s", {}, inline(m[1], s))],
  [
    /^\|\|([^]+?)\|\|/,
    (m, s) => h("span", { class: "spoiler", role: "button", tabindex: "0", "data-action": "reveal" }, inline(m[1], s)),
  ],
  [/^\[([^\]]+)\]\(<?(https?:\/\/[^\s)>]+)>?\)/, (m, s) => link(m[2], inline(m[1], s))],
  [/^<(https?:\/\/[^\s>]+)>/, (m) => link(m[1], m[1])],
  [/^https?:\/\/[^\s<>]+[^\s<>.,:;"')\]]/, (m) => link(m[0], m[0])],
  [/^<t:(-?\d{1,13})(?::([tTdDfFsSR]))?>/, (m) => timestamp(Number(m[1]), m[2] ?? "f")],
  [/^<@!?(\d+)>/, (m, s) => mention("@", s.userName(m[1]) ?? "unknown-user")],
  [/^<@&(\d+)>/, (m, s) => mention("@", s.roleName(m[1]) ?? "unknown-role")],
  [/^<#(\d+)>/, (m, s) => channelMention(m[1], s)],
  [
    /^<\/([-\w ]{1,98}):(\d+)>/,
    (m) =>
      h("button", { class: "mention", type: "button", "data-action": "command", "data-command": m[1] }, `/${m[1]}`),
  ],
  [/^<a?:(\w+):\d+>/, (m) => `:${m[1]}:`],
  [/^@(everyone|here)\b/, (m) => mention("@", m[1])],
];

const MESSAGE_LINK = /^https:\/\/(?:\w+\.)?discord\.com\/channels\/(?:@me|\d+)\/(\d+)(?:\/(\d+))?$/;

/** Draws a link. As in Discord's own client, a link to a message or channel opens it on this page. */
function link(href, children) {
  const match = MESSAGE_LINK.exec(href);
  if (!match) return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, children);
  const target = { "data-action": "go", "data-channel": match[1], "data-target": match[2] };
  return h("button", { type: "button", class: "link", ...target }, children);
}

const mention = (sign, name) => h("span", { class: "mention" }, sign + name);

function channelMention(id, session) {
  const name = session.channelName(id);
  if (!name) return h("span", { class: "mention" }, "#unknown");
  return h("button", { class: "mention", type: "button", "data-action": "channel", "data-channel": id }, `#${name}`);
}

function timestamp(seconds, style) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return "Invalid date";
  return h(
    "time",
    { class: "stamp", datetime: date.toISOString(), title: fullDate(date), "data-style": style },
    style === "R" ? relativeTime(date) : stamp(date, style),
  );
}

/** Returns the nodes of one piece of text: emphasis, code, links, mentions, time stamps. */
export function inline(text, session) {
  const nodes = [];
  let plain = "";
  let rest = text;
  scan: while (rest) {
    for (const [pattern, build] of INLINE) {
      const match = pattern.exec(rest);
      if (!match || (match[0][0] === "_" && /\w$/.test(plain))) continue; // snake_case is not emphasis
      if (plain) nodes.push(plain);
      plain = "";
      nodes.push(build(match, session));
      rest = rest.slice(match[0].length);
      continue scan;
    }
    const character = String.fromCodePoint(rest.codePointAt(0));
    plain += character;
    rest = rest.slice(character.length);
  }
  if (plain) nodes.push(plain);
  return nodes;
}

const BLOCKS = [
  [
    /^(#{1,3}) +(\S.*)$/,
    (m, s) => h(`h${m[1].length + 2}`, { class: `heading heading-${m[1].length}` }, inline(m[2], s)),
  ],
  [/^-# +(\S.*)$/, (m, s) => h("small", { class: "subtext" }, inline(m[1], s))],
];

/** Returns the nodes of a whole text: code blocks, headers, lists, quotes, small text and lines. */
export function markdown(text, session) {
  const nodes = [];
  for (const [index, part] of text.split(/```(?:[\w+-]*\n)?([^]+?)\n?```/).entries()) {
    if (index % 2) nodes.push(h("pre", {}, h("code", {}, part)));
    else if (part) nodes.push(...blocks(index ? part.replace(/^\n/, "") : part, session));
  }
  return nodes;
}

function blocks(text, session) {
  const nodes = [];
  const lines = text.split("\n");
  let paragraph = [];
  const flush = () => {
    if (paragraph.length) nodes.push(h("p", {}, inline(paragraph.join("\n"), session)));
    paragraph = [];
  };
  while (lines.length) {
    const run = takeRun(lines, /^>(?: |$)/) ?? takeRun(lines, /^\s*[-*] +\S/) ?? takeRun(lines, /^\s*\d{1,9}\. +\S/);
    if (run) {
      flush();
      nodes.push(run[0].startsWith(">") ? quote(run, session) : list(run, session));
      continue;
    }
    const line = lines.shift();
    const [pattern, build] = BLOCKS.find(([candidate]) => candidate.test(line)) ?? [];
    if (!pattern) {
      paragraph.push(line);
      continue;
    }
    flush();
    nodes.push(build(pattern.exec(line), session));
  }
  if (paragraph.some((line) => line.trim())) flush();
  return nodes;
}

function takeRun(lines, pattern) {
  let count = 0;
  while (count < lines.length && pattern.test(lines[count])) count += 1;
  return count ? lines.splice(0, count) : null;
}

function quote(lines, session) {
  return h("blockquote", {}, blocks(lines.map((line) => line.replace(/^> ?/, "")).join("\n"), session));
}

function list(lines, session) {
  const first = /^\s*(\d+)\./.exec(lines[0]);
  const items = lines.map((line) => {
    const [, indent, text] = /^(\s*)(?:[-*]|\d+\.) +(.*)$/.exec(line);
    return h("li", { class: indent.length >= 2 ? "nested" : null }, inline(text, session));
  });
  return first ? h("ol", { start: first[1] }, items) : h("ul", {}, items);
}

/** Returns the text without its markdown, for previews of replies. */
export function plainText(text, session) {
  return inline(text.replace(/^(#{1,3}|-#|>) +/gm, "").replace(/\n+/g, " "), session)
    .map((node) => (typeof node === "string" ? node : node.textContent))
    .join("");
}
