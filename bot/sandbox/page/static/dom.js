// Builds and updates elements. Nothing here parses HTML, so text stays text.

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element: h("a", {class: "x", href: "/"}, "text", child, [more]). `on` holds listeners; null is left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (name === "style") for (const [key, item] of Object.entries(value)) element.style.setProperty(key, item);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  fill(element, ...children);
  return element;
}

/** Replaces an element's children; null, undefined and false add none. */
export function fill(element, ...children) {
  element.replaceChildren(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
}

/** Replaces an element's children; the focus goes to the control with the same name as the one that had it. */
export function redraw(element, ...children) {
  const focused = element.contains(document.activeElement) && nameOf(document.activeElement);
  fill(element, ...children);
  if (!focused) return;
  const controls = [...element.querySelectorAll("button, a[href], input")];
  (controls.find((control) => nameOf(control) === focused) ?? controls[0])?.focus({ preventScroll: true });
}

const nameOf = (control) => control.id || control.dataset.channel || control.ariaLabel || control.textContent;

const ICONS = {
  plus: "M12 4v16M4 12h16",
  close: "M6 6l12 12M18 6L6 18",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  menu: "M4 6h16M4 12h16M4 18h16",
  people:
    "M16 19v-1a4 4 0 0 0-4-4H7a4 4 0 0 0-4 4v1M9.5 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M21 19v-1a4 4 0 0 0-3-3.8M16 3.2a3.5 3.5 0 0 1 0 6.6",
  hash: "M5 9h15M4 15h15M10 4L8 20M16 4l-2 16",
  thread: "M6 4v9a3 3 0 0 0 3 3h10M15 12l4 4-4 4",
  at: "M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0zm0 0v1.500a2.500 2.500 0 0 0 5 0V12a9 9 0 1 0-3.500 7.100",
  send: "M4 12l16-8-6 16-3-7-7-1z",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c2.500 2.700 3.700 5.700 3.700 9s-1.200 6.300-3.700 9c-2.500-2.700-3.700-5.700-3.700-9s1.200-6.300 3.700-9z",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2v2M12 20v2M4.900 4.900l1.400 1.400M17.700 17.700l1.400 1.400M2 12h2M20 12h2M4.900 19.100l1.400-1.400M17.700 6.300l1.400-1.400",
  moon: "M20 14.500A8.500 8.500 0 1 1 9.500 4a7 7 0 0 0 10.500 10.500z",
  eye: "M2 12s3.500-6.500 10-6.500S22 12 22 12s-3.500 6.500-10 6.500S2 12 2 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.500 9.500h.01",
  file: "M6 3h8l5 5v13H6zM14 3v5h5",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  external: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  reply: "M9 7L4 12l5 5M4 12h10a6 6 0 0 1 6 6v1",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  check: "M5 13l4 4L19 7",
  down: "M6 9l6 6 6-6",
  play: "M8 5.500v13l11-6.500z",
  pause: "M8 5v14M16 5v14",
  expand: "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7",
  spark: "M12 3l2.200 6.800L21 12l-6.800 2.200L12 21l-2.200-6.800L3 12l6.800-2.200z",
  warning: "M12 4l9 16H3zM12 10v4M12 17h.01",
  slash: "M14 5l-4 14M4 4h16v16H4z",
};

/** Draws one of the page's own icons; decorative, so hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Makes a button that shows an icon and is called `label`; `attributes` as for `h`. */
export function iconButton(name, label, { class: className = "", ...attributes } = {}) {
  const classes = `icon-button ${className}`.trim();
  return h("button", { type: "button", class: classes, "aria-label": label, ...attributes }, icon(name));
}

/** Updates `old` to look like `fresh`, so that the focus stays. Elements with the same `data-keep` are not changed. */
export function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return;
  }
  if (old.dataset?.keep && old.dataset.keep === fresh.dataset.keep) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) === value) continue;
    if (name === "style")
      old.style.cssText = value; // the page's policy forbids style attributes, but allows this
    else old.setAttribute(name, value);
  }
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((child, index) => (index < before.length ? morph(before[index], child) : old.append(child)));
  for (const extra of before.slice(after.length)) extra.remove();
}

/** "1.4 MB" for a number of bytes. */
export function formatBytes(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  const kib = bytes / 1024;
  return kib < 1024 ? `${kib.toFixed(kib < 10 ? 1 : 0)} KB` : `${Number((kib / 1024).toFixed(2))} MB`;
}

/** Whether the person types on a screen: there Enter begins a new line, and an arrow sends. */
export const onTouch = () => matchMedia("(pointer: coarse)").matches;

let counter = 0;
/** An id for aria references, unique on this page. */
export const uniqueId = (prefix) => `${prefix}-${++counter}`;

/** Shows a short notice at the bottom of the page for a few seconds. */
export function toast(text, seconds = 6) {
  const note = h("div", { class: "toast" }, text); // its parent is a live region
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), 1000 * seconds);
}
