// Where people write: ordinary messages with files, the command picker, and the command form.

import { avatar } from "./avatar.js";
import { CommandForm, typedCommands } from "./command.js";
import { h, iconButton, onTouch, toast } from "./dom.js";
import { isPicture, tooLarge } from "./files.js";
import { shownName } from "./language.js";
import { drawFile } from "./media.js";
import { sendNames, suggestNames } from "./mentions.js";
import { openMenu } from "./menu.js";
import { Option } from "./options.js";
import { isDirect } from "./session.js";
import { channelTitle } from "./sidebar.js";
import { Suggestions } from "./suggestions.js";

/** The composer at the foot of the channel. */
export class Composer {
  constructor(root, session) {
    this.root = root;
    this.session = session;
    this.files = [];
    this.form = null;
    this.suggestions = new Suggestions(document.getElementById("suggestions"));
    this.build();
    session.on("session", (change) => this.reset(change));
    session.on("channel", () => this.reset());
    session.on("commands", () => this.offer());
  }

  build() {
    this.text = h("textarea", {
      id: "message-text",
      rows: 1,
      maxlength: 2000,
      role: "combobox",
      "aria-controls": "suggestion-list",
      "aria-expanded": "false",
      on: {
        input: () => this.typed(),
        keydown: (event) => this.key(event),
        blur: () => this.suggestions.hide(),
        focus: () => this.offer(),
      },
    });
    this.input = h("input", {
      type: "file",
      multiple: true,
      hidden: true,
      id: "message-files",
      on: { change: () => this.addFiles([...this.input.files]) },
    });
    this.add = iconButton("plus", "Attach a file or use a command", {
      class: "add",
      "aria-haspopup": "menu",
      on: { click: () => this.openAdd() },
    });
    this.tray = h("div", { class: "tray", hidden: true });
    const send = iconButton("send", "Send message", { type: "submit", class: "send" });
    this.plain = h(
      "form",
      { class: "plain", on: { submit: (event) => (event.preventDefault(), this.post()) } },
      this.tray,
      h("div", { class: "line" }, this.add, this.text, send),
      this.input,
    );
    this.root.replaceChildren(this.plain);
  }

  /** Begins anew in another channel or as another person; a mere new connection keeps what is half filled in. */
  reset({ again } = {}) {
    const { session } = this;
    if (again) return this.offer();
    if (this.form) this.closeForm();
    const channel = session.channel();
    const label = `Message ${isDirect(channel) ? "@" : "#"}${channelTitle(channel, session)}`;
    this.text.placeholder = label;
    this.text.setAttribute("aria-label", label);
    return this.offer();
  }

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, innerHeight / 3)}px`;
  }

  typed() {
    this.grow();
    this.offer();
    if (this.text.value === "/") this.session.loadCommands().catch(() => {});
  }

  openAdd() {
    openMenu(
      this.add,
      [
        { label: "Attach a file", icon: "file", pick: () => this.input.click() },
        { label: "Use a command", icon: "slash", hint: "/", pick: () => this.startCommand() },
      ],
      { label: "Add" },
    );
  }

  startCommand() {
    this.text.value = "/";
    this.text.focus();
    this.offer();
    this.session.loadCommands().catch(() => {});
  }

  /** Shows what fits the text: commands, people or channels. */
  offer() {
    if (this.form || document.activeElement !== this.text) return undefined;
    const typed = /^\/([\p{L}\p{N}_ -]*)$/u.exec(this.text.value);
    if (typed) return this.offerCommands(typed);
    const items = suggestNames(this.text, this.session, () => this.typed());
    if (items.length === 0) return this.suggestions.hide();
    return this.suggestions.show(this.text, { heading: "Mention", items, first: true });
  }

  offerCommands(typed) {
    const wanted = typed[1].toLowerCase();
    const commands = typedCommands(this.session.commandsOfType(1)).filter(({ path, shown }) => `${path}\n${shown}`.includes(wanted));
    const begins = ({ path, shown }) => path.startsWith(wanted) || shown.startsWith(wanted);
    commands.sort((a, b) => begins(b) - begins(a));
    const items = commands.map((command) => ({
      title: `/${command.shown}`,
      detail: command.description,
      hint: command.options
        .filter((option) => option.required)
        .map(shownName)
        .join(" "),
      leading: avatar(this.session.bot.user, "avatar-small"),
      pick: () => this.openCommand(command),
    }));
    return this.suggestions.show(this.text, { heading: this.heading(items), items, first: true });
  }

  heading(items) {
    if (items.length) return this.session.userName(this.session.bot.user.id);
    return this.session.commands.length
      ? "No command matches"
      : "The bot has no commands yet: it may still be starting";
  }

  key(event) {
    if (this.suggestions.handleKey(event)) return;
    if (event.key === "Escape" && this.suggestions.open) this.suggestions.hide();
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !onTouch()) this.post();
    else return;
    event.preventDefault();
  }

  /** Opens the form of a command that is typed in full, with what follows its name. Returns false for another text. */
  openTyped(text) {
    const typed = (name) => `${text} `.startsWith(`/${name} `) && name;
    const called = ({ path, shown }) => typed(path) || typed(shown);
    const command = typedCommands(this.session.commandsOfType(1)).find(called);
    if (!command) return false;
    this.openCommand(command);
    this.form.fillFrom(text.slice(called(command).length + 1).trim());
    return true;
  }

  /** Opens the form of a command (by its path or itself), with `file` in its attachment option. */
  openCommand(command, file = null) {
    const found =
      typeof command === "string"
        ? typedCommands(this.session.commandsOfType(1)).find(({ path }) => path === command)
        : command;
    if (!found) return toast(`There is no /${command} here: the bot may still be starting.`);
    this.text.value = "";
    this.grow();
    this.form = new CommandForm(this.session, this.suggestions, found, () => this.closeForm());
    this.root.replaceChildren(this.form.element);
    if (file) this.form.attach(file);
    else this.form.focusNext();
    return undefined;
  }

  closeForm() {
    this.form = null;
    this.root.replaceChildren(this.plain);
    this.text.focus();
  }

  /** Puts a picture into the open command, else into /animate (or the first command that takes a picture). */
  animate(file) {
    if (this.form?.attach(file)) return undefined;
    if (!isPicture(file)) {
      this.addFiles([file]);
      return toast(`${file.name} is not a picture: it is attached to a message.`);
    }
    const takers = typedCommands(this.session.commandsOfType(1)).filter(({ options }) =>
      options.some((option) => option.type === Option.ATTACHMENT),
    );
    const command = takers.find(({ path }) => path === "animate") ?? takers[0];
    if (command) return this.openCommand(command, file);
    this.addFiles([file]);
    return toast("No command takes a picture yet: the bot may still be starting. It is attached to a message instead.");
  }

  addFiles(files) {
    const problem = files.map((file) => tooLarge(file, this.session)).find(Boolean);
    if (problem) toast(problem);
    this.files.push(...files.filter((file) => !tooLarge(file, this.session)));
    this.input.value = "";
    this.drawTray();
    this.text.focus();
  }

  drawTray() {
    this.tray.hidden = this.files.length === 0;
    this.tray.replaceChildren(...this.files.map((file) => this.tile(file)));
  }

  tile(file) {
    const remove = () => {
      this.files = this.files.filter((other) => other !== file);
      this.drawTray();
      this.text.focus();
    };
    return h(
      "div",
      { class: "tile-box filled" },
      h("span", { class: "tile" }, h("span", { class: "tile-face" }, drawFile(file))),
      iconButton("close", `Remove ${file.name}`, { class: "tile-clear", on: { click: remove } }),
    );
  }

  async post() {
    const content = this.text.value.trim();
    const { files } = this;
    if (!content && files.length === 0) return;
    if (files.length === 0 && this.openTyped(content)) return;
    this.files = [];
    this.text.value = "";
    this.grow();
    this.drawTray();
    try {
      await this.session.send(
        "/api/post",
        { channel: this.session.channelId, content: sendNames(content, this.session) },
        files.map((file, index) => [`files[${index}]`, file]),
      );
    } catch (error) {
      toast(error.message);
      this.text.value ||= content; // something else may have been typed meanwhile
      this.files = [...files, ...this.files];
      this.grow();
      this.drawTray();
    }
  }
}
