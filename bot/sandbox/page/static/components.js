// Draws message components: buttons, menus, containers and what they may contain.

import { h, icon } from "./dom.js";
import { markdown } from "./markdown.js";
import { drawGallery, drawMedia, mediaOf } from "./media.js";

// prettier-ignore
export const Kind = Object.freeze({
  ROW: 1, BUTTON: 2, STRING_SELECT: 3, TEXT_INPUT: 4, USER_SELECT: 5, ROLE_SELECT: 6, MENTIONABLE_SELECT: 7,
  CHANNEL_SELECT: 8, SECTION: 9, TEXT: 10, THUMBNAIL: 11, GALLERY: 12, FILE: 13, SEPARATOR: 14, CONTAINER: 17,
  LABEL: 18, FILE_UPLOAD: 19, RADIO_GROUP: 21, CHECKBOX_GROUP: 22, CHECKBOX: 23,
});

const BUTTON_STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };

const DRAW = {
  [Kind.ROW]: (row, context) =>
    h(
      "div",
      { class: "row" },
      row.components.map((item) => drawComponent(item, context)),
    ),
  [Kind.BUTTON]: button,
  [Kind.SECTION]: section,
  [Kind.TEXT]: (text, context) => h("div", { class: "markup" }, markdown(text.content, context.session)),
  [Kind.THUMBNAIL]: (item) => h("div", { class: "thumbnail" }, drawMedia(mediaOf(item))),
  [Kind.GALLERY]: (item) => drawGallery(item.items.map(mediaOf)),
  [Kind.FILE]: (item) => drawMedia(mediaOf(item)),
  [Kind.SEPARATOR]: separator,
  [Kind.CONTAINER]: container,
};
for (const kind of [
  Kind.STRING_SELECT,
  Kind.USER_SELECT,
  Kind.ROLE_SELECT,
  Kind.MENTIONABLE_SELECT,
  Kind.CHANNEL_SELECT,
]) {
  DRAW[kind] = select;
}

/** Draws one component; `context` holds the session and the message. An unknown kind is shown as unknown. */
export function drawComponent(component, context) {
  const draw = DRAW[component.type];
  return draw
    ? draw(component, context)
    : h("p", { class: "problem" }, `This page cannot show component type ${component.type}.`);
}

function button(item, { session, message }) {
  const waiting = session.isWaiting(message.id, item.custom_id);
  const content = [
    item.emoji?.name && h("span", { class: "emoji", "aria-hidden": "true" }, item.emoji.name),
    item.label && h("span", {}, item.label),
  ];
  if (item.style === 5) {
    const attributes = { class: "button button-link", href: item.url, target: "_blank", rel: "noopener noreferrer" };
    return h("a", attributes, content, icon("external"));
  }
  return h(
    "button",
    {
      type: "button",
      class: `button button-${BUTTON_STYLES[item.style] ?? "secondary"}${waiting ? " waiting" : ""}`,
      disabled: item.disabled,
      "aria-disabled": waiting ? "true" : null, // a button that is really disabled would lose the focus
      "aria-label": item.label ? null : (item.emoji?.name ?? "Button"),
      "data-action": "press",
      "data-custom-id": item.custom_id,
    },
    content,
  );
}

function select(item, { session, message }) {
  const chosen = selectChoices(item, session).filter((choice) => choice.selected).map((choice) => choice.label);
  const waiting = session.isWaiting(message.id, item.custom_id);
  return h(
    "button",
    {
      type: "button",
      class: `select${waiting ? " waiting" : ""}`,
      disabled: item.disabled,
      "aria-disabled": waiting ? "true" : null,
      "aria-haspopup": "listbox",
      "data-action": "select",
      "data-custom-id": item.custom_id,
    },
    h(
      "span",
      { class: chosen.length ? null : "placeholder" },
      chosen.join(", ") || item.placeholder || "Make a selection",
    ),
    icon("down"),
  );
}

/** Returns a menu component's choices as {value, label, description, selected, emoji}. */
export function selectChoices(item, session) {
  if (item.type === Kind.STRING_SELECT) {
    return item.options.map((option) => ({ ...option, emoji: option.emoji?.name, selected: Boolean(option.default) }));
  }
  const picked = new Set((item.default_values ?? []).map((value) => value.id));
  const people = () => session.actors.map((user) => ({ value: user.id, label: session.userName(user.id) }));
  const roles = () => (session.guild?.roles ?? []).map((role) => ({ value: role.id, label: role.name }));
  const offered = ({ name, type }) => name && (!item.channel_types?.length || item.channel_types.includes(type));
  const channels = () => session.channels.filter(offered).map(({ id, name }) => ({ value: id, label: `#${name}` }));
  const sources = {
    [Kind.USER_SELECT]: people,
    [Kind.ROLE_SELECT]: roles,
    [Kind.MENTIONABLE_SELECT]: () => [...people(), ...roles()],
    [Kind.CHANNEL_SELECT]: channels,
  };
  return sources[item.type]().map((choice) => ({ ...choice, selected: picked.has(choice.value) }));
}

function section(item, context) {
  return h(
    "div",
    { class: "section" },
    h(
      "div",
      { class: "section-text" },
      item.components.map((child) => drawComponent(child, context)),
    ),
    h("div", { class: "accessory" }, drawComponent(item.accessory, context)),
  );
}

function separator(item) {
  const classes = `separator${item.spacing === 2 ? " separator-large" : ""}${item.divider === false ? " separator-blank" : ""}`;
  return h("div", { class: classes, role: "separator" });
}

function container(item, context) {
  const hasAccent = item.accent_color !== null && item.accent_color !== undefined;
  const colour = hasAccent ? { "--accent-bar": `#${item.accent_color.toString(16).padStart(6, "0")}` } : {};
  return h(
    "div",
    { class: `container${hasAccent ? " container-accent" : ""}`, style: colour },
    item.components.map((child) => drawComponent(child, context)),
    item.spoiler && h("button", { type: "button", class: "cover", "data-action": "uncover" }, h("span", {}, "Spoiler")),
  );
}

/** Returns the first text among components, or "". */
export function firstText(components) {
  for (const item of components ?? []) {
    const text = item.content ?? firstText(item.components);
    if (text) return text;
  }
  return "";
}

/** Finds the component with this custom id among a message's components. */
export function findComponent(components, customId) {
  for (const item of components ?? []) {
    if (item.custom_id === customId) return item;
    const inside = [...(item.components ?? []), item.accessory, item.component].filter(Boolean);
    const found = inside.length ? findComponent(inside, customId) : null;
    if (found) return found;
  }
  return null;
}

/** Draws a classic embed. */
export function drawEmbed(embed, session) {
  const colour = embed.color ? { "--accent-bar": `#${embed.color.toString(16).padStart(6, "0")}` } : {};
  const text = (value) => markdown(value, session);
  return h(
    "article",
    { class: "container container-accent embed", style: colour },
    embed.author && h("small", { class: "embed-author" }, embed.author.name),
    embed.title && h("strong", { class: "embed-title" }, text(embed.title)),
    embed.description && h("div", { class: "markup" }, text(embed.description)),
    embed.fields?.length > 0 &&
      h(
        "dl",
        { class: "embed-fields" },
        embed.fields.map((field) =>
          h(
            "div",
            { class: field.inline ? "inline" : null },
            h("dt", {}, text(field.name)),
            h("dd", {}, text(field.value)),
          ),
        ),
      ),
    embed.image && drawMedia(mediaOf(embed.image)),
    embed.footer && h("small", { class: "subtext" }, embed.footer.text),
  );
}
