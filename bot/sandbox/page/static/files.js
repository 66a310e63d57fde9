// Pictures dropped on the page or pasted into it go to /animate.

import { formatBytes, toast } from "./dom.js";

/** What a file dialog shows where a picture is wanted; the endings are of kinds that not every system knows. */
export const PICTURES = "image/*,.heic,.heif,.avif,.tif,.tiff";

/** Whether a file is a picture, by its type or else by its name. */
export const isPicture = (file) => file.type.startsWith("image/") || /\.(heic|heif|avif|tiff?)$/i.test(file.name);

/** Returns what is wrong with a file that is larger than the open channel takes, or "". */
export function tooLarge(file, session) {
  const most = session.channel()?.file_limit;
  if (!most || file.size <= most) return "";
  return `${file.name} has ${formatBytes(file.size)}. A file may have at most ${formatBytes(most)} here.`;
}

const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** Catches drops and pastes anywhere, except drops on the composer's files or on the drop zone of an open form. */
export function catchPictures(composer, overlay) {
  let depth = 0; // dragenter and dragleave come for every element under the pointer
  const over = (shown) => {
    if (!shown) depth = 0;
    overlay.hidden = !shown;
  };
  addEventListener(
    "dragenter",
    (event) => carriesFiles(event) && !document.querySelector("dialog[open]") && ((depth += 1), over(true)),
  );
  addEventListener("dragleave", (event) => carriesFiles(event) && (depth -= 1) <= 0 && over(false));
  addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    over(false);
    if (!carriesFiles(event)) return;
    event.preventDefault();
    if (!document.querySelector("dialog[open]")) take([...event.dataTransfer.files], composer);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    take(files, composer);
  });
}

function take(files, composer) {
  const chosen = files.find(isPicture) ?? files[0];
  if (!chosen) return;
  if (files.length > 1) toast(`One picture at a time: took ${chosen.name}.`);
  composer.animate(chosen);
}
