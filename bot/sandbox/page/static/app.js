// Puts the page together.

import { Actions } from "./actions.js";
import { Composer } from "./composer.js";
import { fill, h, icon, iconButton } from "./dom.js";
import { catchPictures } from "./files.js";
import { MessageList } from "./messages.js";
import { displayName, isDirect, isThread, Session } from "./session.js";
import { channelTitle, Sidebar } from "./sidebar.js";
import { followTheme } from "./theme.js";
import { keepTimeStamps } from "./time.js";

const WHO = "vivant-actor"; // per tab: two tabs may be two people
const SAMPLES = [
  ["sample-lake.webp", "A mountain lake at dusk"],
  ["sample-balloon.webp", "Balloons over hills"],
  ["sample-lighthouse.webp", "A lighthouse at night, upright"],
];

const byId = (id) => document.getElementById(id);
const session = new Session();
const messages = new MessageList(byId("scroller"), session);
const composer = new Composer(byId("composer"), session);
const sidebar = new Sidebar(session);
const actions = new Actions(messages.list, session, composer);

function drawHeader() {
  const channel = session.channel();
  const title = channelTitle(channel, session);
  const { online } = session.bot;
  const toggle = (name) => () => document.body.classList.toggle(name);
  fill(
    byId("channel-header"),
    iconButton("menu", "Channels", { class: "only-narrow", on: { click: toggle("menu-open") } }),
    icon(isDirect(channel) ? "at" : isThread(channel) ? "thread" : "hash"),
    h("h2", {}, title),
    channel.topic && h("p", { class: "topic" }, channel.topic),
    h(
      "span",
      { class: `bot-state${online ? " online" : ""}`, id: "bot-state", role: "status" },
      `${displayName(session.bot.user)} is ${online ? "online" : "offline"}`,
    ),
    iconButton("people", "Show or hide members", { on: { click: toggle("no-members") } }),
  );
  document.title = `${isDirect(channel) ? "@" : "#"}${title} · Vivant, in a local Discord`;
}

function drawIntro() {
  const channel = session.channel();
  const title = channelTitle(channel, session);
  const name = displayName(session.bot.user);
  messages.intro.replaceChildren(
    h("span", { class: "intro-icon" }, icon(isDirect(channel) ? "at" : "hash")),
    h("h2", {}, isDirect(channel) ? title : `Welcome to #${title}`),
    h(
      "p",
      {},
      "Drop a picture anywhere, or type ",
      h("kbd", {}, "/animate"),
      `. ${name} makes a short clip of it and posts it here.`,
    ),
    h("p", {}, "No picture at hand? Take one of these:"),
    h(
      "div",
      { class: "samples" },
      SAMPLES.map(([file, alt]) => sample(file, alt)),
    ),
  );
}

function sample(file, alt) {
  const animate = async () => {
    const answer = await fetch(`/page/${file}`);
    composer.animate(new File([await answer.blob()], file.replace("sample-", ""), { type: "image/webp" }));
  };
  return h(
    "button",
    { type: "button", class: "sample", "aria-label": `Animate: ${alt}`, on: { click: animate } },
    h("img", { src: `/page/${file}`, alt: "" }),
  );
}

function showConnection() {
  byId("banner").classList.toggle("offline", !session.connected);
  byId("banner").textContent = session.connected
    ? "Local Discord: nothing here leaves this machine"
    : "Connection lost. Trying again…";
}

session.on("session", () => sessionStorage.setItem(WHO, session.me.id));
for (const event of ["session", "channel", "presence"]) session.on(event, drawHeader);
for (const event of ["session", "channel"]) session.on(event, drawIntro);
session.on("connection", showConnection);
byId("scrim").addEventListener("click", () => document.body.classList.remove("menu-open"));
addEventListener("keydown", (event) => event.key === "Escape" && document.body.classList.remove("menu-open"));
followTheme(byId("theme"));
keepTimeStamps(document.body);
catchPictures(composer, byId("drop-target"));

session.stayAs(sessionStorage.getItem(WHO)).then(() => document.body.classList.add("ready"));
export { actions, session, sidebar };
