// The channel's messages: draws them, updates them, and keeps the scroll position.

import { appBadge, avatar } from "./avatar.js";
import { typedCommands } from "./command.js";
import { drawComponent, drawEmbed, firstText } from "./components.js";
import { h, icon, iconButton, morph } from "./dom.js";
import { markdown, plainText } from "./markdown.js";
import { drawGallery, mediaOf } from "./media.js";
import { displayName } from "./session.js";
import { clock, day, fullDate, messageTime } from "./time.js";

const EPHEMERAL = 1 << 6;
const COMPONENTS_V2 = 1 << 15;
const GROUP_MS = 7 * 60 * 1000; // messages of one author within this time are shown as a group

/** The scrolling list of one channel's messages. */
export class MessageList {
  constructor(root, session) {
    this.root = root;
    this.session = session;
    this.list = h("ol", { class: "messages" });
    this.intro = h("div", { class: "intro" });
    this.root.append(this.intro, this.list);
    this.failures = [];
    this.atEnd = true;
    this.lastTop = 0;
    this.jump = document.getElementById("jump");
    this.jump.addEventListener("click", () => (this.scrollToEnd(), this.root.focus()));
    root.addEventListener("scroll", () => this.noticeScroll(), { passive: true });
    const stay = new ResizeObserver(() => this.atEnd && this.scrollToEnd());
    for (const part of [this.intro, this.list, root]) stay.observe(part);
    session.on("session", (change) => this.drawAll(change));
    session.on("channel", (change) => this.drawAll(change));
    session.on("message", (id) => this.drawOne(id));
    session.on("gone", (id) => this.remove(id));
    session.on("failure", (failure) => this.addFailure(failure));
  }

  noticeScroll() {
    const { scrollHeight, scrollTop, clientHeight } = this.root;
    if (scrollHeight - scrollTop - clientHeight < 80) this.atEnd = true;
    else if (scrollTop < this.lastTop) this.atEnd = false; // only a person scrolls up; content that grows moves down
    this.lastTop = scrollTop;
    this.jump.hidden = this.atEnd;
  }

  scrollToEnd() {
    this.root.scrollTop = this.list.childElementCount ? this.root.scrollHeight : 0; // else the introduction's beginning
    this.jump.hidden = true;
  }

  entries() {
    const { session } = this;
    const failures = this.failures.filter(
      (failure) => failure.channel_id === session.channelId && failure.actor === session.me.id,
    );
    return [...session.visibleMessages(), ...failures].sort((a, b) => timeOf(a) - timeOf(b));
  }

  /** Draws everything; a mere new connection leaves the person where they read. */
  drawAll({ again } = {}) {
    const entries = this.entries();
    const focused = this.list.contains(document.activeElement) && document.activeElement.closest("li")?.id;
    this.list.replaceChildren(...entries.map((entry, index) => this.draw(entry, entries[index - 1])));
    if (focused) this.focusMessage(document.getElementById(focused));
    this.atEnd ||= !again;
    if (this.atEnd) this.scrollToEnd();
  }

  /** Moves the focus to a message (null: to the list), because the control that had it is gone. */
  focusMessage(item) {
    (item?.querySelector("[data-message]") ?? this.root).focus({ preventScroll: true });
  }

  drawOne(id) {
    const entries = this.entries();
    const index = entries.findIndex((entry) => entry.id === id);
    if (index < 0) return;
    const fresh = this.draw(entries[index], entries[index - 1]);
    const old = document.getElementById(fresh.id);
    if (old) this.redraw(old, fresh);
    else if (index === entries.length - 1) this.list.append(fresh);
    else this.drawAll();
    for (const entry of entries) if (entry.referenced_message?.id === id) this.drawOne(entry.id);
    if (!old && this.isMine(entries[index])) this.atEnd = true;
    if (this.atEnd) this.scrollToEnd();
    else if (!old) this.jump.hidden = false;
  }

  redraw(old, fresh) {
    const focused = old.contains(document.activeElement) && document.activeElement;
    morph(old, fresh);
    if (focused && document.activeElement !== focused) this.focusMessage(old);
  }

  isMine({ author, interaction_metadata: metadata }) {
    return [author?.id, metadata?.user.id].includes(this.session.me.id);
  }

  remove(id) {
    this.failures = this.failures.filter((failure) => failure.id !== id);
    const element = document.getElementById(`message-${id}`);
    const next = element?.nextElementSibling;
    const neighbour = next ?? element?.previousElementSibling;
    const focused = element?.contains(document.activeElement);
    element?.remove();
    if (focused) this.focusMessage(neighbour);
    if (next) this.drawOne(next.id.replace("message-", ""));
  }

  addFailure({ id, name, channel_id: channelId, messageId }) {
    const reason = name ? "The application did not respond" : "This interaction failed";
    const entry = { id: `failed-${id}`, reason, name, on: messageId, channel_id: channelId, actor: this.session.me.id };
    this.failures.push({ ...entry, timestamp: new Date().toISOString() });
    this.drawOne(entry.id);
  }

  draw(entry, before) {
    const newDay = !before || new Date(timeOf(before)).toDateString() !== new Date(timeOf(entry)).toDateString();
    const body = entry.reason ? this.drawFailure(entry) : this.drawMessage(entry, newDay ? null : before);
    const divider = newDay && h("div", { class: "day" }, h("span", {}, day(new Date(timeOf(entry)))));
    return h("li", { id: `message-${entry.id}` }, divider, body);
  }

  drawFailure({ id, reason, name, on }) {
    const { bot, me } = this.session;
    return h(
      "article",
      { class: "message message-failed", "data-message": id, tabindex: "-1", "aria-label": reason },
      name && !on && this.invocation({ user: me, name }),
      avatar(bot.user),
      h(
        "div",
        { class: "message-body" },
        h("header", {}, h("strong", { class: "author" }, displayName(bot.user)), appBadge()),
        h("p", { class: "problem" }, icon("warning"), reason),
        onlyYou(id),
      ),
    );
  }

  drawMessage(message, before) {
    const joined = this.joins(message, before);
    const mine = (message.mentions ?? []).some((user) => user.id === this.session.me.id);
    const secret = Boolean(message.flags & EPHEMERAL);
    const classes = ["message", joined && "joined", mine && "mentions-me", secret && "ephemeral"];
    const sent = new Date(message.timestamp);
    return h(
      "article",
      {
        class: classes.filter(Boolean).join(" "),
        "data-message": message.id,
        tabindex: "-1",
        "aria-label": displayName(message.author),
      },
      this.context(message),
      joined
        ? h("time", { class: "gutter", datetime: message.timestamp, title: fullDate(sent) }, clock(sent))
        : avatar(message.author),
      h(
        "div",
        { class: "message-body" },
        !joined && head(message, sent),
        this.content(message),
        secret && onlyYou(message.id),
      ),
      this.toolbar(message),
    );
  }

  joins(message, before) {
    if (!before || before.reason || before.author.id !== message.author.id) return false;
    if (message.interaction_metadata || message.referenced_message || (message.flags ^ before.flags) & EPHEMERAL)
      return false;
    return timeOf(message) - timeOf(before) < GROUP_MS;
  }

  context(message) {
    if (message.referenced_message) return this.reply(message.referenced_message);
    if (message.message_reference && message.type === 19)
      return h("div", { class: "context" }, icon("reply"), h("em", {}, "Original message was deleted"));
    const metadata = message.interaction_metadata;
    if (!metadata || metadata.type !== 2) return null;
    return this.invocation({ user: metadata.user, name: metadata.name ?? message.interaction?.name });
  }

  invocation({ user, name }) {
    const command = typedCommands(this.session.commandsOfType(1)).find(({ path }) => path === name);
    const shown = name && h("span", { class: "mention" }, command ? `/${command.shown}` : name);
    return h(
      "div",
      { class: "context" },
      avatar(user, "avatar-small"),
      h("strong", {}, displayName(user)),
      " used ",
      shown ?? "a command",
    );
  }

  reply({ id, ...sent }) {
    const original = this.session.message(id) ?? { id, ...sent }; // with its edits, if it is still there
    const text = original.content || firstText(original.components);
    const preview = text ? plainText(text, this.session) : "Click to see the message";
    return h(
      "button",
      { type: "button", class: "context", "data-action": "show", "data-target": original.id },
      avatar(original.author, "avatar-small"),
      h("strong", {}, displayName(original.author)),
      h("span", { class: "preview" }, preview),
    );
  }

  content(message) {
    const { session } = this;
    if (session.isThinking(message)) {
      return h(
        "p",
        { class: "thinking" },
        h("span", { class: "dots", "aria-hidden": "true" }),
        `${displayName(message.author)} is thinking…`,
      );
    }
    const scope = { session, message };
    const components = (message.components ?? []).map((component) => drawComponent(component, scope));
    if (message.flags & COMPONENTS_V2) return h("div", { class: "components" }, components);
    const edited = message.edited_timestamp && !message.author.bot && h("small", { class: "edited" }, "(edited)");
    return [
      message.content && h("div", { class: "markup" }, markdown(message.content, session), edited),
      (message.embeds ?? []).map((embed) => drawEmbed(embed, session)),
      drawGallery((message.attachments ?? []).map(mediaOf)),
      components.length > 0 && h("div", { class: "components" }, components),
    ];
  }

  toolbar(message) {
    if (this.session.isThinking(message)) return null;
    return h(
      "div",
      { class: "toolbar" },
      iconButton("more", "More actions", { "data-action": "menu", "aria-haspopup": "menu" }),
    );
  }
}

const timeOf = (entry) => Date.parse(entry.timestamp);

function head(message, sent) {
  return h(
    "header",
    {},
    h("strong", { class: message.author.bot ? "author" : "author author-person" }, displayName(message.author)),
    message.author.bot && appBadge(),
    h("time", { datetime: message.timestamp, title: fullDate(sent) }, messageTime(sent)),
  );
}

function onlyYou(id) {
  return h(
    "p",
    { class: "only-you" },
    icon("eye"),
    "Only you can see this · ",
    h("button", { type: "button", class: "link", "data-action": "dismiss", "data-target": id }, "Dismiss message"),
  );
}
