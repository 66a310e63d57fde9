// What clicks and keys in messages do: press components, open menus, stop and enlarge media.

import { findComponent, selectChoices } from "./components.js";
import { toggleMotion } from "./clips.js";
import { toast } from "./dom.js";
import { shownName } from "./language.js";
import { enlarge } from "./media.js";
import { openChoices, openMenu } from "./menu.js";
import { openModal } from "./modal.js";

const MESSAGE_COMMAND = 3;
const MANAGE_MESSAGES = 1n << 13n;

/** Listens on the message list and acts for the person. */
export class Actions {
  constructor(list, session, composer) {
    Object.assign(this, { list, session, composer });
    list.addEventListener("click", (event) => this.click(event));
    list.addEventListener("contextmenu", (event) => this.contextMenu(event));
    list.addEventListener("keydown", (event) => this.key(event));
    session.on("modal", (interaction) => openModal(session, interaction));
  }

  click(event) {
    const target = event.target.closest("[data-action]");
    if (!target || target.ariaDisabled === "true") return;
    const messageId = target.closest("[data-message]")?.dataset.message;
    const { action } = target.dataset;
    const acts = {
      press: () => this.press(messageId, target.dataset.customId),
      select: () => this.openSelect(target, messageId),
      menu: () => this.openMenu(messageId, target),
      dismiss: () => this.dismiss(target.dataset.target),
      show: () => this.show(target.dataset.target),
      reveal: () => target.classList.add("revealed"),
      uncover: () => uncover(target),
      enlarge: () => enlarge(target.closest("figure")),
      motion: () => toggleMotion(target.closest("figure")),
      go: () => this.go(target.dataset.channel, target.dataset.target),
      channel: () => this.session.open(target.dataset.channel),
      command: () => this.composer.openCommand(target.dataset.command),
    };
    acts[action]?.();
  }

  key(event) {
    const message = event.target.closest("[data-message]");
    if (!message || event.target.closest("video, input, textarea")) return;
    if (event.key === "ContextMenu" || (event.shiftKey && event.key === "F10"))
      this.openMenu(message.dataset.message, event.target);
    else if (event.key === "Enter" && event.target.dataset.action === "reveal") event.target.click();
    else if (event.target === message && (event.key === "ArrowUp" || event.key === "ArrowDown"))
      this.walk(message, event.key);
    else return;
    event.preventDefault();
  }

  walk(message, key) {
    const all = [...this.list.querySelectorAll("[data-message]")];
    all[all.indexOf(message) + (key === "ArrowUp" ? -1 : 1)]?.focus();
  }

  contextMenu(event) {
    const message = event.target.closest("[data-message]");
    if (!message || event.target.closest("a, video")) return;
    event.preventDefault();
    this.openMenu(message.dataset.message, { x: event.clientX, y: event.clientY });
  }

  async press(messageId, customId, values = null) {
    const { session } = this;
    try {
      const interaction = await session.send("/api/press", {
        channel: session.channelId,
        message: messageId,
        custom_id: customId,
        values,
      });
      session.waitFor(interaction.id, messageId, customId);
    } catch (error) {
      toast(error.message);
    }
  }

  openSelect(button, messageId) {
    const { session } = this;
    const item = findComponent(session.message(messageId).components, button.dataset.customId);
    const limits = { min: item.min_values ?? 1, max: item.max_values ?? 1, label: item.placeholder ?? "Choices" };
    openChoices(button, selectChoices(item, session), limits, (values) =>
      this.press(messageId, item.custom_id, values),
    );
  }

  openMenu(messageId, anchor) {
    const message = this.session.message(messageId);
    if (!message) return;
    const apps = this.session
      .commandsOfType(MESSAGE_COMMAND)
      .map((command) => ({ label: shownName(command), icon: "slash", pick: () => this.invokeOn(message, command) }));
    const items = [
      message.content && {
        label: "Copy text",
        icon: "copy",
        pick: () => navigator.clipboard.writeText(message.content),
      },
      ...(apps.length ? ["-", { heading: "Apps" }, ...apps] : []),
      ...(this.mayDelete(message)
        ? ["-", { label: "Delete message", icon: "trash", danger: true, pick: () => this.delete(message) }]
        : []),
    ];
    openMenu(anchor, items.filter(Boolean), { label: "Message" });
  }

  mayDelete(message) {
    const held = BigInt(this.session.channel().permissions ?? 0);
    return message.author.id === this.session.me.id || Boolean(held & MANAGE_MESSAGES);
  }

  dismiss(id) {
    if (id.startsWith("failed-")) this.session.emit("gone", id);
    else this.delete({ channel_id: this.session.channelId, id });
  }

  async invokeOn(message, command) {
    try {
      await this.session.send("/api/message-command", {
        channel: message.channel_id,
        message: message.id,
        command: command.name,
      });
    } catch (error) {
      toast(error.message);
    }
  }

  async delete(message) {
    try {
      await this.session.send("/api/delete", { channel: message.channel_id, message: message.id });
    } catch (error) {
      toast(error.message);
    }
  }

  async go(channelId, messageId) {
    if (!this.session.channel(channelId)) return toast("You cannot see that channel.");
    if (channelId !== this.session.channelId) await this.session.open(channelId);
    return messageId && this.show(messageId);
  }

  show(messageId) {
    const element = document.getElementById(`message-${messageId}`);
    if (!element) return toast("That message is not here any more.");
    element.scrollIntoView({ block: "center", behavior: "smooth" });
    element.classList.remove("flash");
    requestAnimationFrame(() => element.classList.add("flash"));
    return undefined;
  }
}

/** Takes the cover away; the focus goes to what was below it, or to its message. */
function uncover(cover) {
  const below = cover.parentElement.querySelector("button:not(.cover), a") ?? cover.closest("[data-message]");
  cover.remove();
  below?.focus();
}
