// What stands above a channel's first message: what to do here, samples, what to try next, and SVD-XT's clips.

import { fill, h, icon, onTouch } from "./dom.js";
import { SAMPLES } from "./demo.js";
import { drawMedia } from "./media.js";
import { isDirect } from "./session.js";
import { channelTitle } from "./sidebar.js";

/** Draws the introduction of the open channel. */
export function drawIntro(element, session, demo) {
  const channel = session.channel();
  const title = channelTitle(channel, session);
  const name = session.userName(session.bot.user.id);
  const how = onTouch() ? "Touch a picture below" : "Click a picture below, drop one of your own anywhere";
  fill(
    element,
    h("span", { class: "intro-icon" }, icon(isDirect(channel) ? "at" : "hash")),
    h("h2", {}, isDirect(channel) ? title : `Welcome to #${title}`),
    channel.topic && h("p", { class: "notice" }, icon("warning"), h("span", {}, channel.topic)),
    h("p", {}, `${how}, or type `, h("kbd", {}, "/animate"), `: ${name} makes a short clip of it and posts it here.`),
    tryNext(demo),
    h("div", { class: "samples" }, SAMPLES.map(([file, alt]) => sample(file, alt, demo))),
    gallery(session.gallery ?? []),
  );
}

function tryNext(demo) {
  const buttons = demo.things().map(({ label, description, icon: name, pick }) =>
    h("button", { type: "button", class: "button button-secondary", title: description, on: { click: pick } }, icon(name), label),
  );
  return h(
    "div",
    { class: "try-next" },
    h("p", {}, "Then try what makes it different: switch person to see fair turns and ", h("kbd", {}, "/admin"), " (Olga has it), make ten at once, or kill the GPU process and watch it recover."),
    h("div", { class: "row" }, buttons),
  );
}

function sample(file, alt, demo) {
  return h(
    "button",
    { type: "button", class: "sample", "aria-label": `Animate: ${alt}`, on: { click: () => demo.animate(file) } },
    h("img", { src: `/page/${file}`, alt: "" }),
    h("span", { class: "sample-label", "aria-hidden": "true" }, icon("play"), "Animate"),
  );
}

/** Draws clips that people made with SVD-XT, each under its maker's name; the demo's own never stand there. */
function gallery(clips) {
  const shown = clips.map((clip) =>
    h(
      "li",
      {},
      drawMedia({ ...clip, kind: "video", alt: `Made with SVD-XT by ${clip.by}` }),
      h("p", {}, `Made with SVD-XT by ${clip.by} (${clip.licence})`),
      h("pre", { tabindex: "0", "aria-label": "The command that makes it" }, h("code", {}, clip.command)),
    ),
  );
  return h(
    "section",
    { class: "gallery-of-svd", "aria-label": "Made with SVD-XT" },
    h("h3", {}, "Made with SVD-XT"),
    h("p", {}, "The demo's model is tiny. What the big one makes belongs to people who ran it: clips that they send are shown here."),
    shown.length ? h("ul", {}, shown) : [h("p", {}, "None was sent yet. This makes one, on an NVIDIA card; ", h("code", {}, "docs/made-with-svd-xt.md"), " says how to send it:"), h("pre", { tabindex: "0", "aria-label": "The command" }, h("code", {}, COMMAND))],
  );
}

const COMMAND = ".venv/bin/python -m generator picture.jpg -o clip.mp4 --variant svd-xt --seed 1";
