// Pictures, clips and files inside messages, and the large view of a picture.

import { clip, noticeMotion } from "./clips.js";
import { formatBytes, h, icon, iconButton } from "./dom.js";
import { mediaUrl } from "./session.js";

const VIDEO = /\.(mp4|m4v|mov|webm)$/i;
const IMAGE = /\.(png|jpe?g|jfif|gif|webp|avif)$/i;

/** Returns "video", "image" or "file", by the file name's ending as Discord does. */
export function kindOf(name) {
  if (VIDEO.test(name)) return "video";
  return IMAGE.test(name) ? "image" : "file";
}

const nameOf = (url) => decodeURIComponent(new URL(url, location.origin).pathname.split("/").pop());

/** Turns an attachment or a component's media object into what `drawMedia` takes. */
export function mediaOf(item) {
  const media = item.media ?? item.file ?? item;
  const name = item.filename ?? item.name ?? media.filename ?? nameOf(media.url);
  return {
    name,
    url: mediaUrl(media.url),
    width: media.width,
    height: media.height,
    bytes: item.size ?? media.size,
    alt: item.description ?? media.description ?? "",
    spoiler: item.spoiler || name.startsWith("SPOILER_") || Boolean((item.flags ?? 0) & 8),
    kind: kindOf(name),
  };
}

/** Draws one picture, clip or file. */
export function drawMedia(media) {
  if (media.kind === "file") return fileCard(media);
  const shape = media.width ? { "--width": media.width, "--height": media.height } : {};
  const inner = media.kind === "video" ? clip(media) : picture(media);
  const moves = media.kind === "video" || /\.(gif|webp)$/i.test(media.name);
  const label = `${media.kind === "video" ? "Clip" : "Picture"}: ${media.alt || media.name}`;
  const attributes = { class: `media media-${media.kind}${moves ? " media-clip" : ""}`, style: shape };
  const keep = new URL(media.url, location.origin).pathname; // the same for every link to the file
  const named = { role: "figure", "aria-label": label };
  return h("figure", { ...attributes, ...named, "data-keep": keep }, inner, media.spoiler && spoilerCover());
}

function picture(media) {
  const image = h("img", {
    src: media.url,
    alt: media.alt,
    width: media.width,
    height: media.height,
    decoding: "async",
    on: {
      load: ({ target }) => noticeMotion(target.parentElement, media),
      error: ({ target }) => target.closest("figure")?.replaceWith(fileCard(media)), // only its name says picture
    },
  });
  const label = `Open ${media.alt || media.name}`;
  return h("button", { type: "button", class: "picture", "data-action": "enlarge", "aria-label": label }, image);
}

function spoilerCover() {
  return h("button", { type: "button", class: "cover", "data-action": "uncover" }, h("span", {}, "Spoiler"));
}

function fileCard(media) {
  return h(
    "div",
    { class: "file-card" },
    icon("file"),
    h(
      "div",
      {},
      h("a", { href: media.url, download: media.name }, media.name),
      media.bytes !== undefined && media.bytes !== null && h("small", {}, formatBytes(media.bytes)),
    ),
    h(
      "a",
      { class: "icon-button", href: media.url, download: media.name, "aria-label": `Download ${media.name}` },
      icon("download"),
    ),
  );
}

/** Draws a file that is not sent yet: its picture if the browser can show it, its name and size. */
export function drawFile(file) {
  const name = file.name || "picture.png";
  const facts = [h("span", { class: "file-name" }, name), h("small", {}, formatBytes(file.size))];
  if (!file.type.startsWith("image/")) return [icon("file"), facts];
  const url = URL.createObjectURL(file);
  const image = h("img", { src: url, alt: "" });
  image.addEventListener("load", () => URL.revokeObjectURL(url));
  image.addEventListener("error", () => (URL.revokeObjectURL(url), image.replaceWith(icon("image")))); // such as HEIC
  return [image, facts];
}

/** Draws several pictures and clips as one grid, with the other files below it. */
export function drawGallery(items) {
  const shown = items.filter((media) => media.kind !== "file");
  const files = items.filter((media) => media.kind === "file");
  return [
    shown.length > 0 && h("div", { class: `gallery gallery-${Math.min(shown.length, 4)}` }, shown.map(drawMedia)),
    files.map(fileCard),
  ];
}

/** Opens a figure's picture or clip over the page. */
export function enlarge(figure) {
  const shown = figure.querySelector("video, img");
  const { src } = shown;
  const large =
    shown.tagName === "VIDEO"
      ? h("video", { src, controls: true, loop: true, playsinline: true, "aria-label": shown.ariaLabel })
      : h("img", { src, alt: shown.alt });
  const dialog = h(
    "dialog",
    { class: "lightbox", "aria-label": figure.ariaLabel },
    large,
    h("p", {}, h("a", { href: src, target: "_blank", rel: "noopener" }, "Open in browser")),
    iconButton("close", "Close", { on: { click: () => dialog.close() } }),
  );
  const closes = large.tagName === "IMG" ? [dialog, large] : [dialog]; // a click on a video is for its controls
  dialog.addEventListener("click", ({ target }) => closes.includes(target) && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
