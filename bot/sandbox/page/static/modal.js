// The bot's forms (modals): the window, what is wrong in it, and what is sent.

import { Kind } from "./components.js";
import { h, iconButton, uniqueId } from "./dom.js";
import { buildField } from "./fields.js";
import { markdown } from "./markdown.js";

/** Shows the form of a modal answer and submits what was filled in. */
export function openModal(session, { id, modal }) {
  const { custom_id: customId, title, components } = modal;
  const fields = [];
  const body = components.map((item) => drawRow(item, session, fields));
  const problem = h("p", { class: "problem", role: "alert" });
  const submit = h("button", { class: "button button-primary" }, "Submit");
  const titleId = uniqueId("modal");
  const needed = fields.some((field) => field.required);
  const form = h(
    "form",
    { method: "dialog", novalidate: true },
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
      needed ? ". What has a star is required." : ".",
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
    problem.textContent = showProblems(fields);
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
  fields[0]?.focus();
}

/** Marks the fields that cannot be sent as they are, goes to the first, and returns what is wrong with it, or "". */
function showProblems(fields) {
  const found = fields.map((field) => [field, field.problem()]);
  for (const [field, text] of found) field.mark(text);
  const [first, text] = found.find((pair) => pair[1]) ?? [null, ""];
  first?.focus();
  return text;
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

function drawRow(item, session, fields) {
  if (item.type === Kind.TEXT) return h("div", { class: "markup" }, markdown(item.content, session));
  if (item.type === Kind.LABEL) return drawField(item.component, item.label, item.description, session, fields);
  return (item.components ?? []).map((child) => drawField(child, child.label, null, session, fields));
}

function drawField(item, label, description, session, fields) {
  const ids = { label: uniqueId("label"), about: uniqueId("about") };
  const field = buildField(item, session, { ...ids, text: label });
  if (!field) return h("p", { class: "problem" }, `This page cannot show component type ${item.type}.`);
  fields.push(field);
  const notes = [description, ...(field.notes ?? [])].filter(Boolean);
  const wrong = h("small", { class: "problem", hidden: true });
  field.mark = (text) => {
    wrong.textContent = text;
    wrong.hidden = !text;
    box.classList.toggle("wrong", Boolean(text));
    if (text) field.control.setAttribute("aria-invalid", "true");
    else field.control.removeAttribute("aria-invalid");
  };
  const name = [
    label,
    field.required && h("span", { class: "required" }, h("span", { class: "visually-hidden" }, " (required)")),
  ];
  const box = h(
    "div",
    { class: "field" },
    field.control.id
      ? h("label", { class: "field-label", id: ids.label, for: field.control.id }, name)
      : h("span", { class: "field-label", id: ids.label }, name),
    h("small", { id: ids.about, hidden: notes.length === 0 }, notes.join(" · ")),
    field.element,
    wrong,
  );
  field.control.setAttribute("aria-describedby", ids.about);
  return box;
}
