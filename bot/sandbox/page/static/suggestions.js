// The list above the composer: commands, options or choices. Arrow keys move in it; the text field keeps the focus.

import { fill, h } from "./dom.js";

/** A listbox for the input that showed it last. */
export class Suggestions {
  constructor(root) {
    this.root = root;
    this.items = [];
    this.active = -1;
    root.addEventListener("mousedown", (event) => event.preventDefault()); // the input keeps the focus
    root.addEventListener("click", (event) => {
      const index = event.target.closest("[role=option]")?.dataset.index;
      if (index !== undefined) this.pick(Number(index));
    });
  }

  get open() {
    return !this.root.hidden;
  }

  /** Shows items of {title, detail, hint, leading, pick} for `input`; `first` selects the first item for Enter. */
  show(input, { heading, items, note, first = false }) {
    this.input = input;
    this.items = items;
    const rows = items.map((item, index) =>
      h(
        "li",
        {
          id: `suggestion-${index}`,
          role: "option",
          class: "suggestion",
          "data-index": index,
          "aria-selected": "false",
        },
        item.leading,
        h(
          "span",
          { class: "suggestion-text" },
          h("strong", {}, item.title),
          item.detail && h("small", {}, item.detail),
        ),
        item.hint && h("span", { class: "suggestion-hint" }, item.hint),
      ),
    );
    fill(
      this.root,
      h("p", { class: "suggestions-heading" }, heading, note && h("span", {}, note)),
      items.length > 0 && h("ul", { id: "suggestion-list", role: "listbox", "aria-label": heading }, rows),
    );
    this.root.hidden = !heading && items.length === 0;
    this.fit();
    input.setAttribute("aria-expanded", String(items.length > 0));
    this.mark(first && items.length ? 0 : -1);
  }

  /** Lets no key pick from the list until `show` brings the one for what is typed now; what is seen stays, if it is `input`'s. */
  wait(input, { heading, note }) {
    if (this.open && this.input === input) this.mark(-1);
    else this.show(input, { heading, note, items: [] });
  }

  /** Keeps the list below the window's top edge: what lies above it could not be reached. */
  fit() {
    const { top } = this.root.parentElement.getBoundingClientRect();
    this.root.style.setProperty("--room", `${Math.max(72, top - 12)}px`);
  }

  hide() {
    this.root.hidden = true;
    this.items = [];
    this.active = -1;
    this.input?.setAttribute("aria-expanded", "false");
    this.input?.removeAttribute("aria-activedescendant");
  }

  mark(index) {
    this.active = index;
    const rows = this.root.querySelectorAll("[role=option]");
    rows.forEach((row, at) => row.setAttribute("aria-selected", String(at === index)));
    if (index < 0) return this.input?.removeAttribute("aria-activedescendant");
    rows[index].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", rows[index].id);
  }

  pick(index) {
    this.items[index]?.pick();
  }

  /** Handles a key press; returns true when it was used. */
  handleKey(event) {
    if (!this.open || event.isComposing) return false;
    const { length } = this.items;
    if (event.key === "ArrowDown" && length) this.mark((this.active + 1) % length);
    else if (event.key === "ArrowUp" && length) this.mark((Math.max(this.active, 0) - 1 + length) % length);
    else if ((event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) && this.active >= 0)
      this.pick(this.active);
    else return false;
    event.preventDefault();
    return true;
  }
}
