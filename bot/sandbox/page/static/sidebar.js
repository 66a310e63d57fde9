// The left column (channels, the current person) and the list of members on the right.

import { appBadge, avatar } from "./avatar.js";
import { h, icon, redraw } from "./dom.js";
import { openMenu } from "./menu.js";
import { botState } from "./presence.js";
import { displayName, isDirect, isThread } from "./session.js";

/** Draws the columns and keeps them current. */
export class Sidebar {
  /** `close` hides the column again where it lies over the channel. */
  constructor(session, close) {
    Object.assign(this, { session, close });
    this.nav = document.getElementById("channels");
    this.rail = document.getElementById("rail");
    this.panel = document.getElementById("user-panel");
    this.members = document.getElementById("members");
    for (const name of ["session", "channel", "unread"]) session.on(name, () => (this.drawRail(), this.drawChannels()));
    for (const name of ["session", "presence", "connection"]) session.on(name, () => this.drawMembers());
    session.on("session", () => this.drawPanel());
  }

  drawRail() {
    const { session } = this;
    const direct = this.server("Direct messages", icon("at"), null);
    const servers = session.guilds.map((guild) => this.server(guild.name, initials(guild.name), guild.id));
    redraw(this.rail, direct, h("hr"), ...servers);
  }

  server(name, face, guildId) {
    const { session } = this;
    const inside = session.channels.filter((channel) => (channel.guild_id ?? null) === guildId);
    const current = (session.guild?.id ?? null) === guildId;
    const unread = inside.some((channel) => session.unread.has(channel.id));
    const open = () => session.open((inside.find((channel) => channel.name === "pictures") ?? inside[0]).id);
    const attributes = { type: "button", class: `server${unread ? " unread" : ""}`, "aria-label": name, title: name };
    return h("button", { ...attributes, "aria-current": current ? "true" : null, on: { click: open } }, face);
  }

  drawChannels() {
    const { session } = this;
    const { guild } = session;
    const inside = session.channels.filter((channel) => (channel.guild_id ?? null) === (guild?.id ?? null));
    const top = inside.filter((channel) => !isThread(channel));
    document.getElementById("server-name").textContent = guild?.name ?? "Direct messages";
    redraw(
      this.nav,
      h("h2", {}, guild ? "Text channels" : "Apps"),
      h(
        "ul",
        {},
        top.map((channel) => h("li", {}, this.entry(channel), this.threadsOf(channel))),
      ),
    );
  }

  threadsOf(parent) {
    const threads = this.session.channels.filter((channel) => isThread(channel) && channel.parent_id === parent.id);
    return (
      threads.length > 0 &&
      h(
        "ul",
        { class: "threads" },
        threads.map((channel) => h("li", {}, this.entry(channel))),
      )
    );
  }

  entry(channel) {
    const { session } = this;
    const unread = session.unread.get(channel.id);
    const direct = isDirect(channel);
    return h(
      "button",
      {
        type: "button",
        class: `channel${unread === undefined ? "" : " unread"}`,
        "aria-current": channel.id === session.channelId ? "page" : null,
        "data-channel": channel.id,
        on: { click: () => (this.close(), session.open(channel.id)) },
      },
      direct ? avatar(session.bot.user, "avatar-small") : icon(isThread(channel) ? "thread" : "hash"),
      h("span", { class: "channel-name" }, channelTitle(channel, session)),
      unread > 0 && h("span", { class: "count" }, unread, h("span", { class: "visually-hidden" }, " mentions")),
    );
  }

  drawPanel() {
    const { me } = this.session;
    const button = h(
      "button",
      {
        type: "button",
        class: "who",
        id: "who",
        "aria-haspopup": "menu",
        on: { click: () => this.switchPerson() },
      },
      h("span", { class: "presence online" }, avatar(me)),
      h("span", { class: "visually-hidden" }, "You are "),
      h("span", { class: "who-text" }, h("strong", {}, displayName(me)), h("small", {}, me.role)),
      h("span", { class: "visually-hidden" }, ". Switch person"),
      icon("down"),
    );
    redraw(this.panel, button);
  }

  switchPerson() {
    const { session } = this;
    const items = session.actors.map((actor) => ({
      label: displayName(actor),
      description: actor.role,
      leading: avatar(actor),
      checked: actor.id === session.me.id,
      current: actor.id === session.me.id,
      pick: () => session.stayAs(actor.id),
    }));
    openMenu(document.getElementById("who"), [{ heading: "Be somebody else" }, ...items], { label: "Switch person" });
  }

  drawMembers() {
    const { bot, actors } = this.session;
    if (!bot) return; // nothing has come yet
    const person = (user, note, look = "online") =>
      h(
        "li",
        { class: look === "away" ? "away" : null },
        h("span", { class: `presence ${look}` }, avatar(user)),
        h(
          "span",
          { class: "member-text" },
          h("span", {}, displayName(user), user.bot && appBadge()),
          note && h("small", {}, note),
        ),
      );
    const { look } = botState(this.session);
    const notes = { away: "not connected", lost: "connection lost" };
    this.members.replaceChildren(
      h("h2", {}, `App — ${bot.online ? "online" : "offline"}`),
      h("ul", {}, person(bot.user, notes[look] ?? bot.text, look)),
      h("h2", {}, `Online — ${actors.length}`),
      h(
        "ul",
        {},
        actors.map((actor) => person(actor, actor.role)),
      ),
    );
  }
}

const initials = (name) =>
  name
    .split(/\s+/)
    .map((word) => word[0])
    .join("")
    .slice(0, 3);

/** A channel's name as the page shows it. */
export const channelTitle = (channel, session) => (isDirect(channel) ? displayName(session.bot.user) : channel.name);
