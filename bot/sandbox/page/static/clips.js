// Clips that move by themselves: silent, again and again, while they are on the screen, until the person stops them.

import { fill, h, icon, iconButton } from "./dom.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");
const ANIMATED_WEBP = 0x02; // the flag in the chunk VP8X, which is the first of a WebP's file

// Ten clips that play where nobody looks take the processor from the one that is being rendered.
const onScreen = new IntersectionObserver(
  (entries) => entries.forEach(({ target, isIntersecting }) => follow(target, isIntersecting)),
  { threshold: 0.2 },
);

/** Draws a video that plays by itself, with its two buttons. */
export function clip(media) {
  const video = h("video", {
    src: `${media.url}#t=0.001`, // shows the first frame where it does not play
    playsinline: true,
    loop: true,
    preload: "auto",
    width: media.width,
    height: media.height,
    "aria-label": media.alt || `Clip ${media.name}`,
    on: { play: ({ target }) => showState(target), pause: ({ target }) => showState(target) },
  });
  video.muted = true; // as a property: the attribute counts only in a parsed page
  onScreen.observe(video);
  return [video, controls(`clip ${media.name}`, "Play")];
}

/** Adds the two buttons to a picture that moves, once it is known that it does. */
export async function noticeMotion(button, media) {
  if (!(await moves(media))) return;
  button.after(controls(media.name, "Pause"));
  if (still.matches) freeze(button.querySelector("img"));
}

/** Plays what stands still, and stops what moves. */
export function toggleMotion(figure) {
  const moving = figure.querySelector("video, img");
  if (moving.tagName === "IMG") return figure.querySelector("canvas") ? thaw(moving) : freeze(moving);
  moving.dataset.stopped = moving.paused ? "" : "yes"; // what the person wants counts more than what is on the screen
  return moving.paused ? moving.play() : moving.pause();
}

function controls(name, verb) {
  const toggle = iconButton(verb.toLowerCase(), `${verb} ${name}`, { class: "motion", "data-action": "motion" });
  toggle.dataset.name = name;
  const open = iconButton("expand", `Open ${name}`, { class: "expand", "data-action": "enlarge" });
  return h("div", { class: "clip-controls" }, toggle, open);
}

function follow(video, visible) {
  if (!visible) return video.pause();
  if (still.matches || video.dataset.stopped === "yes") return undefined;
  return video.play().catch(() => {}); // a browser may forbid it: then the button says "Play"
}

function showState(moving, paused = moving.paused) {
  const button = moving.closest("figure")?.querySelector(".motion");
  if (!button) return;
  fill(button, icon(paused ? "play" : "pause"));
  button.setAttribute("aria-label", `${paused ? "Play" : "Pause"} ${button.dataset.name}`);
}

/** Shows the first frame in place of a moving picture, which itself cannot be stopped. */
function freeze(image) {
  const canvas = h("canvas", { width: image.naturalWidth, height: image.naturalHeight, "aria-hidden": "true" });
  canvas.getContext("2d").drawImage(image, 0, 0);
  image.after(canvas);
  image.classList.add("frozen");
  showState(image, true);
}

function thaw(image) {
  image.parentElement.querySelector("canvas").remove();
  image.classList.remove("frozen");
  showState(image, false);
}

async function moves({ name, url }) {
  if (/\.gif$/i.test(name)) return true;
  if (!/\.webp$/i.test(name)) return false;
  try {
    const answer = await fetch(url, { headers: { Range: "bytes=0-31" } });
    const head = new Uint8Array(await answer.arrayBuffer());
    return String.fromCharCode(...head.slice(12, 16)) === "VP8X" && Boolean(head[20] & ANIMATED_WEBP);
  } catch {
    return false; // without a connection there is no picture either
  }
}
