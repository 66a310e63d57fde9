// The fields of a form: text, menus, files, radio buttons and check boxes, as Discord's client fills them in.
//
// A field is {item, element, control, required, focus(), problem(), value() or files(), notes}: `control` is what a
// screen reader meets, `notes` are sentences below the label.

import { Kind, selectChoices } from "./components.js";
import { formatBytes, h, icon, iconButton, onTouch, uniqueId } from "./dom.js";
import { tooLarge } from "./files.js";
import { openChoices } from "./menu.js";

const SELECTS = new Set([
  Kind.STRING_SELECT,
  Kind.USER_SELECT,
  Kind.ROLE_SELECT,
  Kind.MENTIONABLE_SELECT,
  Kind.CHANNEL_SELECT,
]);
const PARAGRAPH = 2;

/** Builds the field of a component; null for a kind that this page does not know. `label` holds its ids and text. */
export function buildField(item, session, label) {
  const build = SELECTS.has(item.type) ? menuField : FIELDS[item.type];
  if (!build) return null;
  const made = build(item, session, label);
  const required = item.required !== false && item.type !== Kind.CHECKBOX;
  const problem = () => {
    if (made.empty()) return required ? `“${label.text}” needs an answer.` : "";
    return made.check?.() ?? "";
  };
  return { focus: () => made.control.focus(), ...made, item, required, problem };
}

function textField(item, _session, label) {
  const attributes = {
    id: uniqueId("field"),
    placeholder: item.placeholder,
    maxlength: item.max_length ?? 4000,
    "aria-required": item.required === false ? null : "true",
    "data-custom-id": item.custom_id,
  };
  const control =
    item.style === PARAGRAPH ? h("textarea", { rows: 4, ...attributes }) : h("input", { type: "text", ...attributes });
  control.value = item.value ?? "";
  const check = () =>
    control.value.length < (item.min_length ?? 0)
      ? `“${label.text}” needs at least ${item.min_length} characters.`
      : "";
  return { element: control, control, empty: () => !control.value, check, value: () => control.value };
}

function menuField(item, session, label) {
  const choices = selectChoices(item, session);
  let values = choices.filter((choice) => choice.selected).map((choice) => choice.value);
  const textId = uniqueId("chosen");
  const text = h("span", { id: textId });
  const show = () => {
    const chosen = choices.filter((choice) => values.includes(choice.value)).map((choice) => choice.label);
    text.textContent = chosen.join(", ") || item.placeholder || "Make a selection";
    text.classList.toggle("placeholder", values.length === 0);
  };
  const open = () => {
    const current = choices.map((choice) => ({ ...choice, selected: values.includes(choice.value) }));
    openChoices(control, current, { min: item.min_values, max: item.max_values, label: label.text }, (picked) => {
      values = picked;
      show();
    });
  };
  const control = h(
    "button",
    {
      type: "button",
      class: "select",
      "aria-haspopup": "listbox",
      "aria-labelledby": `${label.label} ${textId}`,
      "data-custom-id": item.custom_id,
      on: { click: open },
    },
    text,
    icon("down"),
  );
  show();
  const check = () => count(values.length, item, "choice");
  return { element: control, control, empty: () => values.length === 0, check, value: () => values };
}

function fileField(item, session, label) {
  let files = [];
  const several = item.max_values > 1;
  const control = h("input", {
    type: "file",
    multiple: several,
    class: "visually-hidden",
    "aria-labelledby": label.label,
    "aria-required": item.required === false ? null : "true",
    "data-custom-id": item.custom_id,
  });
  const invitation = onTouch() ? "Choose a file" : "Drop a file here or choose one";
  const text = h("span", {}, invitation);
  const list = h("ul", { class: "chosen-files", "aria-label": "Chosen files" });
  const wrong = h("p", { class: "problem", role: "alert" });
  const show = () => {
    text.textContent = files.length && !several ? "Choose another file" : invitation;
    list.replaceChildren(...files.map((file) => h("li", {}, nameOf(file), remover(file))));
    list.hidden = files.length === 0;
  };
  const remover = (file) => {
    const remove = () => ((files = files.filter((one) => one !== file)), show(), control.focus());
    return iconButton("close", `Remove ${file.name}`, { on: { click: remove } });
  };
  const take = (given) => {
    const chosen = [...given];
    if (chosen.length === 0) return; // the dialog was closed: what was chosen before stays
    wrong.textContent = chosen.map((file) => tooLarge(file, session)).find(Boolean) ?? "";
    if (wrong.textContent) return;
    const all = several ? [...files, ...chosen] : chosen;
    files = all.slice(0, item.max_values);
    if (all.length > files.length) wrong.textContent = `Only ${files.length} of these files fit here.`;
    show();
  };
  control.addEventListener("change", () => {
    take(control.files);
    control.value = ""; // so that the same file can be chosen again after it was removed
  });
  const over = (event) => (event.preventDefault(), event.stopPropagation());
  const drop = (event) => (over(event), take(event.dataTransfer.files));
  const zone = h("label", { class: "drop-zone", on: { dragover: over, drop } }, control, icon("image"), text);
  show();
  return {
    element: h("div", { class: "files" }, zone, list, wrong),
    control,
    empty: () => files.length === 0,
    check: () => count(files.length, item, "file"),
    files: () => files,
    notes: [fileLimits(item, session)],
  };
}

const nameOf = (file) => h("span", {}, `${file.name} (${formatBytes(file.size)})`);

function fileLimits(item, session) {
  const limit = session.channel()?.file_limit;
  const number = item.max_values > 1 ? `Up to ${item.max_values} files` : "One file";
  return limit ? `${number}, at most ${formatBytes(limit)}${item.max_values > 1 ? " each" : ""}.` : `${number}.`;
}

function optionsField(type, item, label) {
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
  const radio = type === "radio";
  const control = h(
    "div",
    {
      class: "options",
      role: radio ? "radiogroup" : "group",
      "aria-labelledby": label.label,
      "aria-required": radio && item.required !== false ? "true" : null,
      "data-custom-id": item.custom_id,
    },
    rows,
  );
  const picked = () => inputs.filter((input) => input.checked).map((input) => input.value);
  const focus = () => (inputs.find((input) => input.checked) ?? inputs[0]).focus();
  return { element: control, control, focus, picked, empty: () => picked().length === 0 };
}

function radioField(item, _session, label) {
  const field = optionsField("radio", item, label);
  return { ...field, value: () => field.picked()[0] ?? null };
}

function checksField(item, _session, label) {
  const field = optionsField("checkbox", item, label);
  const some = item.max_values < item.options.length || item.min_values > 1;
  const notes = some ? [extent(item)] : [];
  return { ...field, notes, check: () => count(field.picked().length, item, "box"), value: field.picked };
}

function checkField(item, _session, label) {
  const control = h("input", {
    type: "checkbox",
    checked: item.default,
    "aria-labelledby": label.label,
    "data-custom-id": item.custom_id,
  });
  const element = h("div", { class: "options" }, h("label", { class: "option" }, control, "Yes"));
  return { element, control, empty: () => false, value: () => control.checked };
}

function extent({ min_values: least, max_values: most }) {
  if (least === most) return `Choose ${least}.`;
  return least > 0 ? `Choose ${least} to ${most}.` : `Choose ${most} at most.`;
}

/** Returns what is wrong with so many choices, files or boxes, or "". */
function count(number, item, thing) {
  const plural = (most) => `${most} ${most === 1 ? thing : { box: "boxes" }[thing] ?? `${thing}s`}`;
  if (number > item.max_values) return `At most ${plural(item.max_values)}, please.`;
  if (number < item.min_values) return `At least ${plural(item.min_values)}, please.`;
  return "";
}

const FIELDS = {
  [Kind.TEXT_INPUT]: textField,
  [Kind.FILE_UPLOAD]: fileField,
  [Kind.RADIO_GROUP]: radioField,
  [Kind.CHECKBOX_GROUP]: checksField,
  [Kind.CHECKBOX]: checkField,
};
