// The language of the person's client: what commands are called in it, and the button that changes it.

import { icon } from "./dom.js";
import { openMenu } from "./menu.js";

/** Returns what a command or an option is called in the person's language; requests have its own name. */
export const shownName = (item) => item.name_localized ?? item.name;

/** Tells whether a command or an option is called so, in the person's language or by its own name. */
export const isCalled = (item, text) => [item.name, shownName(item)].some((name) => name.includes(text));

/** Lets `button` set the person's client to another language, as Discord's settings do. */
export function followLanguage(button, session) {
  const show = () => {
    button.replaceChildren(icon("globe"));
    button.setAttribute("aria-label", `Language: ${session.locales[session.locale]}`);
  };
  const speak = async (locale) => {
    await session.send("/api/language", { locale });
    session.locale = locale;
    show();
    await session.loadCommands();
  };
  button.addEventListener("click", () => {
    const items = Object.entries(session.locales).map(([locale, name]) => ({
      label: name,
      description: locale,
      checked: locale === session.locale,
      current: locale === session.locale,
      pick: () => speak(locale),
    }));
    openMenu(button, [{ heading: "Your Discord speaks" }, ...items], { label: "Language" });
  });
  session.on("session", show);
}
