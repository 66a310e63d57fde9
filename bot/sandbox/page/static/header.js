// The channel's header: its name, what it is for, how the bot is, and the buttons for narrow screens.

import { h, icon, iconButton, redraw } from "./dom.js";
import { botState } from "./presence.js";
import { isDirect, isThread } from "./session.js";
import { channelTitle } from "./sidebar.js";

/** Draws the header; `openTour` is called with the button for it. */
export function drawHeader(element, session, openTour) {
  const channel = session.channel();
  const title = channelTitle(channel, session);
  const { look, text } = botState(session);
  redraw(
    element,
    iconButton("menu", "Channels", { id: "open-channels", class: "only-narrow", "aria-controls": "sidebar" }),
    icon(isDirect(channel) ? "at" : isThread(channel) ? "thread" : "hash"),
    h("h2", {}, title),
    channel.topic && h("p", { class: "topic" }, channel.topic),
    h("span", { class: `bot-state ${look}`, id: "bot-state", role: "status" }, text),
    h(
      "button",
      {
        type: "button",
        class: "tour",
        id: "tour",
        "aria-haspopup": "menu",
        on: { click: (event) => openTour(event.target) },
      },
      icon("spark"),
      h("span", {}, "Try next"),
    ),
    iconButton("people", "Show or hide members", { id: "open-members", "aria-controls": "members" }),
  );
  const note = document.getElementById("channel-note"); // where the header has no room for the topic
  note.textContent = channel.topic ?? "";
  note.hidden = !channel.topic;
  document.title = `${isDirect(channel) ? "@" : "#"}${title} · Vivant, in a local Discord`;
}

/** Lets the buttons open the two columns, and Escape close them again. */
export function openColumns(header) {
  const { classList } = document.body;
  const button = (id) => document.getElementById(id);
  const say = () => button("open-channels")?.setAttribute("aria-expanded", String(classList.contains("menu-open")));
  const close = () => {
    if (!classList.contains("menu-open")) return;
    classList.remove("menu-open");
    say();
    button("open-channels").focus(); // what had the focus is hidden now
  };
  header.addEventListener("click", ({ target }) => {
    if (target.closest("#open-members")) classList.toggle("no-members");
    if (!target.closest("#open-channels")) return;
    classList.add("menu-open");
    say();
    document.querySelector(".channel[aria-current]")?.focus();
  });
  document.getElementById("scrim").addEventListener("click", close);
  addEventListener("keydown", (event) => event.key === "Escape" && close());
  return close;
}
