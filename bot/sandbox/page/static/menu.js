// Small pop-up menus and lists: the message menu, the user switcher, select menus.

import { h, icon } from "./dom.js";

/** Opens a menu of {label, description, icon, emoji, danger, checked, hint, pick} or "-" beside `anchor`, an element or a point. */
export function openMenu(anchor, items, { label, role = "menu" } = {}) {
  const itemRole = role === "menu" ? "menuitem" : "option";
  const rows = items.map((item) =>
    item === "-" ? h("hr") : item.heading ? h("p", { class: "menu-heading" }, item.heading) : row(item, itemRole),
  );
  const menu = show(anchor, h("div", { class: "menu", role, "aria-label": label }, rows));
  for (const [index, item] of items.entries()) {
    if (item.pick) rows[index].addEventListener("click", () => (menu.hidePopover(), item.pick()));
  }
  focusFirst(menu);
  return menu;
}

function row(item, role) {
  return h(
    "button",
    {
      type: "button",
      class: `menu-item${item.danger ? " danger" : ""}`,
      role,
      tabindex: "-1",
      "aria-selected": role === "option" ? String(Boolean(item.checked)) : null,
      "aria-current": item.current ? "true" : null,
    },
    item.leading ?? (item.emoji && h("span", { class: "emoji" }, item.emoji)),
    h("span", { class: "menu-text" }, h("span", {}, item.label), item.description && h("small", {}, item.description)),
    item.hint && h("kbd", {}, item.hint),
    item.icon && icon(item.icon),
    item.checked && icon("check"),
  );
}

/** Opens a list to choose `min` to `max` values from, and calls `done(values)` once. */
export function openChoices(anchor, choices, { min, max, label }, done) {
  if (max <= 1) {
    const items = choices.map((choice) => ({ ...choice, checked: choice.selected, pick: () => done([choice.value]) }));
    return openMenu(anchor, items, { label, role: "listbox" });
  }
  const picked = new Set(choices.filter((choice) => choice.selected).map((choice) => choice.value));
  const rows = choices.map((choice) => row({ ...choice, checked: picked.has(choice.value) }, "option"));
  const confirm = h("button", { type: "button", class: "button button-primary" }, "Done");
  const menu = show(
    anchor,
    h("div", { class: "menu", role: "listbox", "aria-multiselectable": "true", "aria-label": label }, rows, confirm),
  );
  const toggle = (index) => {
    const { value } = choices[index];
    if (!picked.delete(value) && picked.size < max) picked.add(value);
    const fresh = row({ ...choices[index], checked: picked.has(value) }, "option");
    rows[index].replaceChildren(...fresh.childNodes);
    rows[index].setAttribute("aria-selected", String(picked.has(value)));
    confirm.disabled = picked.size < min;
  };
  rows.forEach((element, index) => element.addEventListener("click", () => toggle(index)));
  confirm.addEventListener("click", () => (menu.hidePopover(), done([...picked])));
  focusFirst(menu);
  return menu;
}

function show(anchor, menu) {
  const host = anchor instanceof Element ? (anchor.closest("dialog") ?? document.body) : document.body;
  const before = document.activeElement;
  menu.popover = "auto";
  host.append(menu);
  menu.addEventListener("keydown", walk);
  menu.addEventListener("toggle", ({ newState }) => {
    if (newState !== "closed") return;
    if (menu.contains(document.activeElement) || document.activeElement === document.body) before?.focus?.();
    menu.remove();
  });
  menu.showPopover();
  position(menu, anchor);
  return menu;
}

function position(menu, anchor) {
  const box =
    anchor instanceof Element
      ? anchor.getBoundingClientRect()
      : { left: anchor.x, top: anchor.y, bottom: anchor.y, width: 0 };
  menu.style.minWidth = `${Math.max(box.width, 188)}px`;
  const { width, height } = menu.getBoundingClientRect();
  const below = box.bottom + 4 + height <= innerHeight - 8;
  const top = below ? box.bottom + 4 : Math.max(8, box.top - height - 4);
  menu.style.top = `${top}px`;
  menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
}

function walk(event) {
  const items = [...event.currentTarget.querySelectorAll("button:not(:disabled)")];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (event.key === "Tab") return event.currentTarget.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  items.at(to % items.length)?.focus();
}

function focusFirst(menu) {
  (menu.querySelector('[aria-selected="true"], [aria-current="true"]') ?? menu.querySelector("button"))?.focus();
}
