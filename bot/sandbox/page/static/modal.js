// The bot's forms (modals): text, menus, files, radio buttons and check boxes.

import { Kind, selectChoices } from "./components.js";
import { formatBytes, h, icon, iconButton, onTouch, toast, uniqueId } from "./dom.js";
import { tooLarge } from "./files.js";
import { markdown } from "./markdown.js";
import { openChoices } from "./menu.js";

const SELECTS = new Set([
  Kind.STRING_SELECT,
  Kind.USER_SELECT,
  Kind.ROLE_SELECT,
  Kind.MENTIONABLE_SELECT,
  Kind.CHANNEL_SELECT,
]);

/** Shows the form of a modal answer and submits what was filled in. */
export function openModal(session, { id, modal }) {
  const { custom_id: customId, title, components } = modal;
  const fields = [];
  const body = components.map((item) => drawItem(item, session, fields));
  const problem = h("p", { class: "problem", role: "alert" });
  const submit = h("button", { class: "button button-primary" }, "Submit");
  const titleId = uniqueId("modal");
  const form = h(
    "form",
    { method: "dialog" },
    h(
      "header",
      {},
      h("h2", { id: titleId }, title),
      iconButton("close", "Close", { on: { click: () => dialog.close() } }),
    ),
    h(
      "p",
      { class: "modal-note" },
      "This form will be submitted to ",
      h("strong", {}, session.userName(session.bot.user.id)),
      ".",
    ),
    h("div", { class: "modal-fields" }, body),
    h(
      "footer",
      {},
      problem,
      h("button", { type: "button", class: "button button-secondary", on: { click: () => dialog.close() } }, "Cancel"),
      submit,
    ),
  );
  const dialog = h("dialog", { class: "modal", "aria-labelledby": titleId }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = fields.map((field) => field.problem()).find(Boolean) ?? "";
    if (problem.textContent) return;
    submit.disabled = true;
    try {
      await send(session, id, customId, fields);
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
      submit.disabled = false;
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  form.querySelector(".modal-fields :is(input, textarea, button)")?.focus();
}

function send(session, interaction, customId, fields) {
  const values = Object.fromEntries(
    fields.filter((field) => !field.files).map((field) => [field.item.custom_id, field.value()]),
  );
  const files = fields.flatMap(({ item, files: list }) =>
    (list?.() ?? []).map((file, index) => [`${item.custom_id}#${index}`, file]),
  );
  return session.send("/api/modal", { interaction, custom_id: customId, values }, files);
}

function drawItem(item, session, fields) {
  if (item.type === Kind.TEXT) return h("div", { class: "markup" }, markdown(item.content, session));
  if (item.type === Kind.LABEL) return drawField(item.component, item.label, item.description, session, fields);
  return (item.components ?? []).map((child) => drawField(child, child.label, null, session, fields));
}

function drawField(item, label, description, session, fields) {
  const build = SELECTS.has(item.type) ? menuField : FIELDS[item.type];
  if (!build) return h("p", { class: "problem" }, `This page cannot show component type ${item.type}.`);
  const labelId = uniqueId("label");
  const field = { item, ...build(item, session, labelId) };
  fields.push(field);
  const required = item.required !== false && item.type !== Kind.CHECKBOX;
  field.problem = () => (required && field.empty() ? `“${label}” needs an answer.` : (field.check?.() ?? ""));
  return h(
    "div",
    { class: "field" },
    h(
      "span",
      { class: "field-label", id: labelId },
      label,
      required && h("span", { class: "required", "aria-hidden": "true" }, " *"),
    ),
    description && h("small", {}, description),
    field.element,
  );
}

function textField(item, _session, labelId) {
  const attributes = {
    "aria-labelledby": labelId,
    placeholder: item.placeholder,
    maxlength: item.max_length ?? 4000,
    "data-custom-id": item.custom_id,
  };
  const element =
    item.style === 2 ? h("textarea", { rows: 4, ...attributes }) : h("input", { type: "text", ...attributes });
  element.value = item.value ?? "";
  const short = () =>
    element.value && element.value.length < (item.min_length ?? 0) && `At least ${item.min_length} characters, please.`;
  return { element, empty: () => !element.value, check: short, value: () => element.value };
}

function menuField(item, session, labelId) {
  const choices = selectChoices(item, session);
  let values = choices.filter((choice) => choice.selected).map((choice) => choice.value);
  const textId = uniqueId("chosen");
  const text = h("span", { id: textId });
  const show = () => {
    text.textContent =
      choices
        .filter((choice) => values.includes(choice.value))
        .map((choice) => choice.label)
        .join(", ") ||
      item.placeholder ||
      "Make a selection";
    text.classList.toggle("placeholder", values.length === 0);
  };
  const open = () => {
    const current = choices.map((choice) => ({ ...choice, selected: values.includes(choice.value) }));
    openChoices(
      element,
      current,
      { min: item.min_values ?? 1, max: item.max_values ?? 1, label: "Choices" },
      (picked) => {
        values = picked;
        show();
      },
    );
  };
  const element = h(
    "button",
    {
      type: "button",
      class: "select",
      "aria-haspopup": "listbox",
      "aria-labelledby": `${labelId} ${textId}`,
      "data-custom-id": item.custom_id,
      on: { click: open },
    },
    text,
    icon("down"),
  );
  show();
  return { element, empty: () => values.length === 0, value: () => values };
}

function fileField(item, session, labelId) {
  let files = [];
  const input = h("input", {
    type: "file",
    multiple: (item.max_values ?? 1) > 1,
    class: "visually-hidden",
    "aria-labelledby": labelId,
    "data-custom-id": item.custom_id,
  });
  const limit = session.channel()?.file_limit;
  const most = limit ? ` (up to ${formatBytes(limit)})` : "";
  const empty = `${onTouch() ? "Choose a file" : "Drop a file here or choose one"}${most}`;
  const names = h("span", {}, empty);
  const take = (list) => {
    const problem = [...list].map((file) => tooLarge(file, session)).find(Boolean);
    if (problem) return toast(problem);
    files = [...list].slice(0, item.max_values ?? 1);
    if (list.length > files.length) toast(`Only ${files.length} of these files fit here.`);
    names.textContent = files.map((file) => `${file.name} (${formatBytes(file.size)})`).join(", ") || empty;
    return undefined;
  };
  input.addEventListener("change", () => take(input.files));
  const over = (event) => (event.preventDefault(), event.stopPropagation());
  const drop = (event) => (over(event), take(event.dataTransfer.files));
  const element = h("label", { class: "drop-zone", on: { dragover: over, drop } }, input, icon("image"), names);
  return { element, empty: () => files.length === 0, files: () => files };
}

function optionsField(type, item, value) {
  const name = uniqueId("options");
  const inputs = item.options.map((option) => h("input", { type, name, value: option.value, checked: option.default }));
  const rows = item.options.map((option, index) =>
    h(
      "label",
      { class: "option" },
      inputs[index],
      h("span", {}, option.label, option.description && h("small", {}, option.description)),
    ),
  );
  const picked = () => inputs.filter((input) => input.checked).map((input) => input.value);
  const role = type === "radio" ? "radiogroup" : "group";
  return {
    element: h("div", { class: "options", role }, rows),
    empty: () => picked().length === 0,
    value: () => value(picked()),
  };
}

function radioField(item) {
  return optionsField("radio", item, ([value]) => value ?? null);
}

function checksField(item) {
  const field = optionsField("checkbox", item, (values) => values);
  const most = item.max_values ?? item.options.length;
  return { ...field, check: () => (field.value().length > most ? `At most ${most} of them, please.` : "") };
}

function checkField(item, _session, labelId) {
  const input = h("input", { type: "checkbox", checked: item.default, "aria-labelledby": labelId });
  return {
    element: h("div", { class: "options" }, h("label", { class: "option" }, input, "Yes")),
    empty: () => false,
    value: () => input.checked,
  };
}

const FIELDS = {
  [Kind.TEXT_INPUT]: textField,
  [Kind.FILE_UPLOAD]: fileField,
  [Kind.RADIO_GROUP]: radioField,
  [Kind.CHECKBOX_GROUP]: checksField,
  [Kind.CHECKBOX]: checkField,
};
