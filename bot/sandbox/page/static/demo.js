// What the demo offers to try: samples, the form, ten at once, another person, the end of the GPU process.

import { toast } from "./dom.js";
import { openMenu } from "./menu.js";

/** The pictures to try it with: file and what is on it. */
export const SAMPLES = [
  ["sample-lake.webp", "A mountain lake at dusk"],
  ["sample-balloon.webp", "Balloons over hills"],
  ["sample-lighthouse.webp", "A lighthouse at night, upright"],
];
const TEN = 10;
const FORM = "animate-form";
const RENDER_MS = 60_000; // the longest that is waited for a render to begin, before the GPU process is killed

/** Acts for the person: every action is a request that the page's own forms could send, too. */
export class Demo {
  constructor(session, switchPerson) {
    Object.assign(this, { session, switchPerson });
  }

  /** Returns the things to try as {label, description, icon, pick}. */
  things() {
    const { session } = this;
    const things = [
      {
        label: "Switch person",
        description: "See that turns are fair; Olga has /admin, too",
        icon: "people",
        pick: () => this.switchPerson(),
      },
      { label: "Make ten at once", description: "See the queue", icon: "plus", pick: () => this.makeTen() },
    ];
    if (session.commandsOfType(1).some((command) => command.name === FORM)) {
      const description = "Choose everything with radio buttons, menus and boxes";
      things.unshift({ label: "Fill in the form", description, icon: "slash", pick: () => this.openForm() });
    }
    if (session.demo?.can_kill) {
      const description = "See another one start, and nothing lost";
      things.push({ label: "Kill the GPU process", description, icon: "warning", pick: () => this.kill() });
    }
    return things;
  }

  openMenu(anchor) {
    openMenu(anchor, this.things(), { label: "Try next" });
  }

  /** Sends /animate with a sample, as one click on it asks for. Returns whether it was sent. */
  async animate(file) {
    const { session } = this;
    if (!session.bot.online) toast("Vivant is still starting. Your picture is sent as soon as it is there.");
    try {
      if (!(await session.whenOffered("animate"))) throw new Error("Vivant offers no /animate here.");
      const answer = await session.fetch(`/page/${file}`);
      const picture = new File([await answer.blob()], file.replace("sample-", ""), { type: "image/webp" });
      const payload = { channel: session.channelId, command: "animate", options: {} };
      await session.send("/api/invoke", payload, [["image", picture]]);
      return true;
    } catch (error) {
      toast(error.message);
      return false;
    }
  }

  async openForm() {
    const { session } = this;
    try {
      await session.send("/api/invoke", { channel: session.channelId, command: FORM, options: {} });
    } catch (error) {
      toast(error.message);
    }
  }

  async makeTen() {
    toast("Ten pictures go in. /queue shows them; another person's picture need not wait for all of them.", 10);
    for (let count = 0; count < TEN; count += 1) {
      if (!(await this.animate(SAMPLES[count % SAMPLES.length][0]))) return;
    }
  }

  /** Kills the GPU process in the midst of a render, and says when another one runs. */
  async kill() {
    if (!this.isRendering() && !(await this.animate(SAMPLES[0][0]))) return;
    toast("Waiting until a picture is in the midst of its render…");
    const until = Date.now() + RENDER_MS;
    while (!this.isRendering() && Date.now() < until) await new Promise((done) => setTimeout(done, 250));
    try {
      const killed = this.session.send("/api/kill", {});
      toast("The GPU process is killed. Look at the status card: nothing is lost.");
      const { old_pid: old, new_pid: fresh, seconds } = await killed;
      toast(`GPU process ${old} is dead; ${fresh} took over after ${seconds.toFixed(1)} s, and starts the clip again.`, 12);
    } catch (error) {
      toast(error.message);
    }
  }

  /** Tells whether a card of this channel shows a progress bar. */
  isRendering() {
    return this.session.visibleMessages().some((message) => JSON.stringify(message.components).includes("▱"));
  }
}
