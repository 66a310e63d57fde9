// Light and dark: as the system is set, until the person chooses.

import { icon } from "./dom.js";

const KEY = "vivant-theme";
const system = matchMedia("(prefers-color-scheme: light)");

const current = () => localStorage.getItem(KEY) ?? (system.matches ? "light" : "dark");

/** Puts the theme on the page and lets `button` switch it. */
export function followTheme(button) {
  const show = () => {
    const theme = current();
    document.documentElement.dataset.theme = theme;
    button.replaceChildren(icon(theme === "dark" ? "sun" : "moon"));
    button.setAttribute("aria-label", theme === "dark" ? "Switch to light" : "Switch to dark");
  };
  button.addEventListener("click", () => {
    localStorage.setItem(KEY, current() === "dark" ? "light" : "dark");
    show();
  });
  system.addEventListener("change", show);
  show();
}
