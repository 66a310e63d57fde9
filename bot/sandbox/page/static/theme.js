// Dark, as Discord is, until the person chooses light.

import { icon } from "./dom.js";

const KEY = "vivant-theme";

const current = () => localStorage.getItem(KEY) ?? "dark";

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
  show();
}
