// The form of one slash command: required options first, the others on demand, sent with Enter.

import { h, iconButton, onTouch } from "./dom.js";
import { isPicture } from "./files.js";
import { isCalled, shownName } from "./language.js";
import { makeField, Option } from "./options.js";

const SUBCOMMAND = 1;
const GROUP = 2;

/** Returns the commands that a person can type as {path, shown, description, options}; each subcommand is one of them. */
export function typedCommands(commands) {
  const spread = (node, path, shown) => {
    const inside = (node.options ?? []).filter((option) => option.type === SUBCOMMAND || option.type === GROUP);
    const deeper = (option) => spread(option, `${path} ${option.name}`, `${shown} ${shownName(option)}`);
    if (inside.length) return inside.flatMap(deeper);
    return [{ path, shown, description: node.description, options: node.options ?? [] }];
  };
  return commands.flatMap((command) => spread(command, command.name, shownName(command)));
}

const PAIR = /([\p{L}\p{N}_-]+):\s*(?:"([^"]*)"|(\S+))/gu;

/** The open form; `done` is called when it was sent or closed. */
export class CommandForm {
  constructor(session, suggestions, command, done) {
    Object.assign(this, { session, suggestions, command, done });
    this.channelId = session.channelId;
    this.fields = [];
    this.tray = h("div", { class: "tray" });
    this.pills = h("div", { class: "pills" });
    this.more = this.makeMore();
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.element = h(
      "form",
      {
        class: "command",
        "aria-label": `/${command.shown}`,
        on: {
          submit: (event) => (event.preventDefault(), this.submit()),
          focusout: ({ relatedTarget }) => this.element.contains(relatedTarget) || this.suggestions.hide(),
        },
      },
      this.tray,
      this.problem,
      h(
        "div",
        { class: "command-line" },
        h("span", { class: "command-name" }, `/${command.shown}`),
        this.pills,
        this.more,
        iconButton("close", "Leave this command", { on: { click: () => this.leave() } }),
        iconButton("send", "Send command", { type: "submit", class: "send" }),
      ),
    );
    const shown = ({ required, type }) => required || type === Option.ATTACHMENT;
    for (const option of command.options.filter(shown)) this.add(option);
  }

  makeMore() {
    return h("input", {
      type: "text",
      class: "more-options",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": "More options",
      "aria-controls": "suggestion-list",
      "aria-expanded": "false",
      on: { focus: () => this.offer(), input: () => (this.forgive(), this.offer()), keydown: (event) => this.key(event, null) },
    });
  }

  add(option) {
    const field = makeField(option, this);
    this.fields.push(field);
    (option.type === Option.ATTACHMENT ? this.tray : this.pills).append(field.element);
    this.updateMore();
    return field;
  }

  remove(field) {
    this.fields = this.fields.filter((other) => other !== field);
    field.element.remove();
    this.updateMore();
    this.forgive();
    this.more.focus();
  }

  forgive() {
    this.say("");
  }

  rest() {
    const used = new Set(this.fields.map((field) => field.option.name));
    return this.command.options.filter((option) => !used.has(option.name));
  }

  updateMore() {
    const { length } = this.rest();
    this.more.placeholder = length ? `+${length} more` : "";
    this.more.style.width = length ? "12ch" : "3ch";
  }

  offer() {
    const text = this.more.value.trim().toLowerCase();
    const fitting = this.rest().filter((option) => isCalled(option, text));
    const options = fitting.length ? fitting : this.rest(); // for a word that is no option, what there is
    const items = options.map((option) => ({
      title: shownName(option),
      detail: option.description,
      pick: () => this.addPicked(option),
    }));
    const heading = items.length ? "Options" : `/${this.command.shown}`;
    const sends = onTouch() ? "the arrow sends" : "Enter sends";
    const note = items.length ? `Optional; ${sends}` : `${sends[0].toUpperCase()}${sends.slice(1)} the command`;
    this.suggestions.show(this.more, { heading, note, items, first: Boolean(text) && fitting.length > 0 });
  }

  addPicked(option) {
    this.more.value = "";
    this.add(option).focus();
  }

  /** Puts a file into the first open attachment option. Returns false where the command has none. */
  attach(file) {
    const slots = this.fields.filter((field) => field.option.type === Option.ATTACHMENT);
    const slot = slots.find((field) => field.isEmpty) ?? slots[0];
    if (slot?.wantsPicture && !isPicture(file)) this.say(`${file.name} is not a picture: ${shownName(slot.option)} needs one.`);
    else slot?.take(file);
    return Boolean(slot);
  }

  /** Fills options from a text such as `motion:wild seed:3`, and says which of its words are none. */
  fillFrom(text) {
    const pairs = [...text.matchAll(PAIR)];
    const strange = text.replace(PAIR, " ").trim();
    for (const [whole, name, quoted, plain] of pairs) {
      const wanted = name.toLowerCase();
      const option = this.command.options.find((other) => [other.name, shownName(other)].includes(wanted));
      const field = option && (this.fields.find((other) => other.option === option) ?? this.add(option));
      if (field?.put) field.put(quoted ?? plain);
      else return this.sayNoOption(whole);
    }
    return strange ? this.sayNoOption(strange) : this.focusNext();
  }

  sayNoOption(text) {
    this.more.value = text;
    this.more.focus();
    const name = text.split(/[:\s]/)[0];
    this.say(`/${this.command.shown} has no option “${name}”. Choose one of the list, or delete the word.`);
  }

  focusNext(field = null) {
    const open = this.fields.find((other) => other !== field && other.isEmpty && other.option.required);
    (open?.control ?? this.more).focus();
  }

  key(event, field) {
    if (this.suggestions.handleKey(event)) return;
    const input = field ? field.control : this.more;
    if (event.key === "Escape") this.leave();
    else if (event.key === "Enter" && input.tagName === "INPUT") this.submit();
    else if (event.key === "Backspace" && !input.value) this.backspace(field);
    else return;
    event.preventDefault();
  }

  backspace(field) {
    if (field?.file) return field.take(null);
    const target =
      field ?? this.fields.findLast((other) => !other.option.required && other.option.type !== Option.ATTACHMENT);
    if (target && !target.option.required && target.option.type !== Option.ATTACHMENT) return this.remove(target);
    return field ? undefined : this.leave();
  }

  leave() {
    this.suggestions.hide();
    this.done();
  }

  /** Returns what is typed so far as the payload of a request. */
  draft() {
    const filled = this.fields.filter((field) => !field.isEmpty && field.option.type !== Option.ATTACHMENT);
    const options = Object.fromEntries(filled.map((field) => [field.option.name, field.value()]));
    return { channel: this.channelId, command: this.command.path, options };
  }

  async submit() {
    const typed = this.more.value.trim();
    if (typed) {
      this.more.value = "";
      this.fillFrom(typed);
      if (this.more.value) return undefined;
    }
    const wrong = this.fields.map((field) => [field, field.showProblem(field.problem())]).find(([, text]) => text);
    this.say(wrong?.[1]);
    if (wrong) return wrong[0].focus();
    if (this.sending) return undefined;
    this.sending = true;
    this.element.classList.add("sending");
    const files = this.fields.filter((field) => field.file).map((field) => [field.option.name, field.file]);
    try {
      await this.session.send("/api/invoke", this.draft(), files);
      this.leave();
    } catch (error) {
      this.say(error.message);
      this.sending = false;
      this.element.classList.remove("sending");
    }
    return undefined;
  }

  say(text) {
    this.problem.textContent = text ?? "";
    this.problem.hidden = !text;
  }
}
