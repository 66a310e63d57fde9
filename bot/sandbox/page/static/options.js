// One option of a command that is being typed: its input, its value, and the error in it.

import { fill, formatBytes, h, icon, iconButton, onTouch, uniqueId } from "./dom.js";
import { isPicture, PICTURES, tooLarge } from "./files.js";
import { shownName } from "./language.js";
import { drawFile } from "./media.js";
import { displayName } from "./session.js";

export const Option = Object.freeze({
  STRING: 3,
  INTEGER: 4,
  BOOLEAN: 5,
  USER: 6,
  CHANNEL: 7,
  ROLE: 8,
  MENTIONABLE: 9,
  NUMBER: 10,
  ATTACHMENT: 11,
});

/** Makes the field for an option; `form` is the command form around it. */
export function makeField(option, form) {
  return option.type === Option.ATTACHMENT ? new AttachmentField(option, form) : new ValueField(option, form);
}

class Field {
  constructor(option, form) {
    this.option = option;
    this.form = form;
    this.problemId = uniqueId("problem");
  }

  showProblem(text) {
    this.element.classList.toggle("invalid", Boolean(text));
    this.control.setAttribute("aria-invalid", String(Boolean(text)));
    this.element.title = text;
    return text;
  }

  forgive() {
    this.showProblem("");
    this.form.say("");
  }

  focus() {
    this.control.focus();
  }
}

/** A typed value: text, a number, or one of a list. */
class ValueField extends Field {
  constructor(option, form) {
    super(option, form);
    this.chosen = null; // {name, value} picked from the list
    const listed = this.choices() || option.autocomplete;
    this.control = h("input", {
      type: "text",
      class: "pill-input",
      autocomplete: "off",
      spellcheck: "false",
      inputmode: option.type === Option.INTEGER ? "numeric" : option.type === Option.NUMBER ? "decimal" : null,
      maxlength: option.max_length,
      role: listed ? "combobox" : null,
      "aria-label": `${shownName(option)}: ${option.description}`,
      "aria-controls": listed ? "suggestion-list" : null,
      "aria-autocomplete": listed ? "list" : null,
      "aria-expanded": listed ? "false" : null,
      "data-option": option.name,
      on: { focus: () => this.suggest(), input: () => this.typed(), keydown: (event) => this.form.key(event, this) },
    });
    const on = { click: () => form.remove(this) };
    const remove = iconButton("close", `Remove ${shownName(option)}`, { tabindex: "-1", on }); // keys: Backspace in the field
    this.element = h(
      "span",
      { class: "pill" },
      h("label", {}, h("span", { class: "pill-name" }, shownName(option)), this.control),
      !option.required && remove,
    );
    this.resize();
  }

  /** Returns the list to choose from as {name, value}, or null where any value may be typed. */
  choices() {
    const { option, form } = this;
    const { actors, channels, guild } = form.session;
    if (option.choices?.length) return option.choices;
    const people = actors.map((user) => ({ name: displayName(user), value: user.id }));
    const roles = (guild?.roles ?? []).map((role) => ({ name: role.name, value: role.id }));
    const named = channels.filter(({ name }) => name).map(({ id, name }) => ({ name: `#${name}`, value: id }));
    const lists = {
      [Option.BOOLEAN]: [true, false].map((value) => ({ name: value ? "True" : "False", value })),
      [Option.USER]: people,
      [Option.ROLE]: roles,
      [Option.MENTIONABLE]: [...people, ...roles],
      [Option.CHANNEL]: named,
    };
    return lists[option.type] ?? null;
  }

  /** Sets the value to a text, as if it were typed. */
  put(text) {
    this.control.value = text;
    this.chosen = (this.choices() ?? []).find(({ value }) => String(value) === text) ?? null;
    if (this.chosen) this.control.value = this.chosen.name;
    this.resize();
  }

  typed() {
    this.chosen = null;
    this.forgive();
    this.resize();
    this.suggest();
  }

  resize() {
    this.control.style.width = `${Math.max(this.control.value.length, 3) + 1}ch`;
  }

  async suggest() {
    const { option, control } = this;
    const asked = control.value;
    const text = this.chosen ? "" : asked.trim().toLowerCase();
    let choices = option.autocomplete ? await this.askBot() : (this.choices() ?? []);
    if (!option.autocomplete && text) choices = choices.filter((choice) => choice.name.toLowerCase().includes(text));
    if (document.activeElement !== control || control.value !== asked) return; // a later answer may have come first
    const items = choices.slice(0, 25).map((choice) => ({ title: choice.name, pick: () => this.choose(choice) }));
    this.form.suggestions.show(control, {
      heading: shownName(option),
      note: this.note(),
      items,
      first: Boolean(text) && items.length > 0,
    });
  }

  async askBot() {
    const { name } = this.option;
    this.form.suggestions.wait(this.control, { heading: shownName(this.option), note: this.note() });
    const draft = this.form.draft();
    const options = { ...draft.options, [name]: this.control.value };
    try {
      const answer = await this.form.session.send("/api/autocomplete", { ...draft, options, focused: name });
      return answer.choices;
    } catch {
      return []; // the bot sent no suggestions in time: the person types without them
    }
  }

  note() {
    const { min_value: low, max_value: high, description } = this.option;
    if (low === undefined && high === undefined) return description;
    return `${description} (${low ?? "any"} to ${high ?? "any"})`;
  }

  choose(choice) {
    this.chosen = choice;
    this.control.value = choice.name;
    this.forgive();
    this.resize();
    this.form.focusNext(this);
  }

  get isEmpty() {
    return this.control.value.trim() === "";
  }

  /** Returns what is wrong with the value, or "". */
  problem() {
    const { option } = this;
    if (this.isEmpty) return `${shownName(option)} ${option.required ? "is required" : "has no value: fill it in, or remove it"}.`;
    const value = this.value();
    if (this.choices() && value === undefined) return `${shownName(option)}: choose one of the list.`;
    if (option.type === Option.INTEGER && !Number.isInteger(value)) return `${shownName(option)} takes a whole number.`;
    if (option.type === Option.NUMBER && !Number.isFinite(value)) return `${shownName(option)} takes a number.`;
    if (value < option.min_value) return `${shownName(option)} must be ${option.min_value} or more.`;
    if (value > option.max_value) return `${shownName(option)} must be ${option.max_value} or less.`;
    if (option.min_length && value.length < option.min_length)
      return `${shownName(option)} takes at least ${option.min_length} characters.`;
    return "";
  }

  value() {
    if (this.chosen) return this.chosen.value;
    const text = this.control.value.trim();
    const choices = this.choices();
    if (choices) return choices.find((choice) => choice.name.toLowerCase() === text.toLowerCase())?.value;
    return [Option.INTEGER, Option.NUMBER].includes(this.option.type) ? Number(text.replace(",", ".")) : text;
  }
}

/** A file: a tile to drop it on, or to press and choose a file. */
class AttachmentField extends Field {
  constructor(option, form) {
    super(option, form);
    this.file = null;
    this.wantsPicture = /image|picture/i.test(option.name);
    this.input = h("input", {
      type: "file",
      accept: this.wantsPicture ? PICTURES : null,
      hidden: true,
      "data-option": option.name,
      on: { change: () => this.take(this.input.files[0]) },
    });
    this.face = h("span", { class: "tile-face" });
    this.control = h(
      "button",
      {
        type: "button",
        class: "tile",
        on: {
          click: () => this.input.click(),
          keydown: (event) => this.form.key(event, this),
          focus: () => this.suggest(),
        },
      },
      this.face,
    );
    this.clear = iconButton("close", "Remove the file", {
      class: "tile-clear",
      hidden: true,
      on: { click: () => this.take(null) },
    });
    this.element = h("div", { class: "tile-box" }, this.control, this.clear, this.input);
    this.draw();
  }

  /** Sets `file` (null: none) and moves the focus to the next empty field. */
  take(file) {
    this.input.value = "";
    this.forgive();
    const problem = file ? tooLarge(file, this.form.session) : "";
    if (problem) this.form.say(problem);
    else this.file = file ?? null;
    this.draw();
    if (this.file) this.form.focusNext(this);
    else this.control.focus();
  }

  draw() {
    const { file, option } = this;
    this.clear.hidden = !file;
    this.element.classList.toggle("filled", Boolean(file));
    const name = h("span", { class: "pill-name" }, shownName(option), h("span", { class: "unseen" }, `: ${option.description}`));
    if (file) {
      const doubt = this.wantsPicture && !isPicture(file) && h("span", { class: "problem" }, "This is not a picture");
      return fill(this.face, name, drawFile(file), doubt);
    }
    const what = this.wantsPicture ? "a picture" : "a file";
    const how = onTouch() ? `Choose ${what}` : `Drop, paste or choose ${what}`;
    const limit = this.form.session.channel()?.file_limit;
    const most = limit && h("small", {}, `up to ${formatBytes(limit)}`);
    return fill(this.face, name, icon(this.wantsPicture ? "image" : "file"), h("span", {}, how), most);
  }

  suggest() {
    this.form.suggestions.show(this.control, { heading: shownName(this.option), note: this.option.description, items: [] });
  }

  get isEmpty() {
    return !this.file;
  }

  problem() {
    return this.isEmpty && this.option.required ? `${shownName(this.option)} is required: choose ${this.wantsPicture ? "a picture" : "a file"}.` : "";
  }

  value() {
    return this.file;
  }
}
