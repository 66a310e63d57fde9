// The state of this tab: the person, the channels, the messages, and the socket whose events keep them current.

const LOADING = 1 << 7;
const CHECK_MS = 4000; // between two questions whether the local Discord still answers
const ANSWER_MS = 8000; // a busy machine may take this long
const NO_ANSWER = "The demo does not answer. Is it still running?";

/** One person's view of the local Discord. Listeners registered with `on` are called when it changes. */
export class Session {
  constructor() {
    this.listeners = new Map();
    this.messages = new Map(); // channel id -> messages, oldest first
    this.gone = new Set(); // ids of deleted messages: a list fetched meanwhile may still hold them
    this.unread = new Map(); // channel id -> mentions of me
    this.pressed = new Map(); // interaction id -> [message id, custom id]
    this.answered = new Set(); // interaction ids: an answer may come before the response to the request
    this.channelId = null;
    this.commands = [];
    this.channels = [];
    this.connected = false;
  }

  on(name, listener) {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), listener]);
  }

  emit(name, detail) {
    for (const listener of this.listeners.get(name) ?? []) listener(detail);
  }

  /** Switches to `actorId` (null: anybody). Repeats until the local Discord answers or another switch begins. */
  async stayAs(actorId) {
    const change = (this.change = {}); // the newest one counts, even when older ones are answered later
    while (change === this.change) {
      try {
        return await this.become(actorId, change);
      } catch {
        if (change !== this.change) return undefined;
        this.setConnected(false);
        await new Promise((done) => setTimeout(done, 1000));
      }
    }
    return undefined;
  }

  async become(actorId, change) {
    this.hangUp();
    const state = await this.request(`/api/session?${new URLSearchParams(actorId ? { actor: actorId } : {})}`);
    if (change !== this.change) return;
    const same = { person: this.me?.id === state.me.id, channel: this.channelId };
    Object.assign(this, state);
    this.messages.clear();
    this.unread.clear();
    if (!this.channels.some((channel) => channel.id === this.channelId)) this.channelId = this.home().id;
    await this.listen(); // before the messages are fetched, so that no event is missed
    await this.load();
    if (change === this.change) this.emit("session", { again: same.person && same.channel === this.channelId });
  }

  home() {
    return this.channels.find((channel) => channel.name === "pictures") ?? this.channels[0];
  }

  async open(channelId) {
    this.channelId = channelId;
    this.unread.delete(channelId);
    await this.load();
    this.emit("channel");
  }

  async load() {
    const { me, channelId: channel } = this;
    this.messages.set(channel, []); // collects what comes during the request
    const wanted = ["/api/messages", "/api/commands"].map((path) => this.get(path, { channel }));
    const [messages, commands] = await Promise.all(wanted);
    if (me !== this.me) return; // switched to another person, who may not see these
    const newer = this.messages.get(channel);
    const byId = new Map([...messages, ...newer].map((message) => [message.id, message]));
    this.messages.set(channel, [...byId.values()]);
    if (channel === this.channelId) this.commands = commands;
  }

  /** Returns the command with this name as soon as the bot is there; null when it has none, or is not there after a minute. */
  async whenOffered(name) {
    const find = () => this.commandsOfType(1).find((command) => command.name === name) ?? null;
    for (let tries = 0; tries < 120 && !find() && !(this.bot.online && tries > 1); tries += 1) {
      await new Promise((done) => setTimeout(done, 500));
      await this.loadCommands().catch(() => {});
    }
    return find();
  }

  /** Fetches the commands offered here. They depend on person and channel; a bot may change them. */
  async loadCommands() {
    const { me, channelId: channel } = this;
    const commands = await this.get("/api/commands", { channel });
    if (me !== this.me || channel !== this.channelId) return;
    const changed = JSON.stringify(commands) !== JSON.stringify(this.commands);
    this.commands = commands;
    if (changed) this.emit("commands");
  }

  listen() {
    const socket = new WebSocket(`ws://${location.host}/api/events?actor=${this.me.id}`);
    this.socket = socket;
    socket.onmessage = ({ data }) => this.apply(JSON.parse(data));
    return new Promise((resolve, reject) => {
      socket.onopen = () => (this.setConnected(true), resolve());
      socket.onclose = () => {
        reject(new Error("The local Discord does not answer."));
        if (!this.connected || this.socket !== socket) return; // closed by us, or never opened
        this.setConnected(false);
        setTimeout(() => this.socket === socket && this.stayAs(this.me.id), 500);
      };
    });
  }

  hangUp() {
    const { socket } = this;
    this.socket = null;
    this.connected = false;
    socket?.close();
  }

  /** Notices from now on when the local Discord stops answering, also where the socket looks open. */
  watch() {
    for (const name of ["offline", "online"]) addEventListener(name, () => this.check());
    setInterval(() => this.check(), CHECK_MS);
  }

  async check() {
    if (!this.connected || this.checking) return;
    this.checking = true;
    try {
      await fetch("/api/alive", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    } catch {
      this.lose();
    }
    this.checking = false;
  }

  /** Shows that the connection is lost, and connects again. */
  lose() {
    if (!this.connected) return;
    this.hangUp();
    this.setConnected(false);
    this.stayAs(this.me.id);
  }

  setConnected(connected) {
    this.connected = connected;
    this.emit("connection");
  }

  apply({ t: type, d: data }) {
    if (type === "MESSAGE_CREATE") this.addMessage(data);
    else if (type === "MESSAGE_UPDATE") this.putMessage(data);
    else if (type === "MESSAGE_DELETE") this.dropMessage(data.channel_id, data.id);
    else if (type === "INTERACTION_STATE") this.settle(data);
    else if (type === "BOT_STATUS") this.setStatus(data);
    else if (/^(CHANNEL|THREAD|GUILD)_/.test(type)) this.stayAs(this.me.id); // channels changed: load everything again
  }

  addMessage(message) {
    if (message.channel_id !== this.channelId) this.countUnread(message);
    this.putMessage(message);
  }

  putMessage(message) {
    const known = this.messages.get(message.channel_id);
    if (!known) return;
    const index = known.findIndex((other) => other.id === message.id);
    if (index < 0) known.push(message);
    else known[index] = { ...known[index], ...message };
    if (message.channel_id === this.channelId) this.emit("message", message.id);
  }

  countUnread(message) {
    const mine = (message.mentions ?? []).some((user) => user.id === this.me.id);
    this.unread.set(message.channel_id, (this.unread.get(message.channel_id) ?? 0) + (mine ? 1 : 0));
    this.emit("unread");
  }

  dropMessage(channelId, messageId) {
    this.gone.add(messageId);
    if (channelId === this.channelId) this.emit("gone", messageId);
  }

  setStatus(status) {
    const came = status.online && !this.bot.online;
    Object.assign(this.bot, status);
    this.emit("presence");
    if (came) this.loadCommands().catch(() => {}); // without a connection: they are loaded with it
  }

  /** Remembers that a component waits for its answer, so that it is shown as waiting. */
  waitFor(interactionId, messageId, customId) {
    if (this.answered.has(interactionId)) return;
    this.pressed.set(interactionId, [messageId, customId]);
    this.emit("message", messageId);
  }

  settle(interaction) {
    if (interaction.state === "waiting") return;
    const [messageId] = this.pressed.get(interaction.id) ?? [];
    const news = !this.answered.has(interaction.id);
    this.pressed.delete(interaction.id);
    this.answered.add(interaction.id);
    if (messageId) this.emit("message", messageId);
    if (news && interaction.state === "failed") this.emit("failure", { ...interaction, messageId });
    if (news && interaction.state === "modal") this.emit("modal", interaction);
  }

  isWaiting(messageId, customId) {
    return [...this.pressed.values()].some((pair) => pair[0] === messageId && pair[1] === customId);
  }

  visibleMessages() {
    return (this.messages.get(this.channelId) ?? []).filter((message) => !this.gone.has(message.id));
  }

  message(messageId) {
    return this.messages.get(this.channelId)?.find((message) => message.id === messageId);
  }

  channel(id = this.channelId) {
    return this.channels.find((channel) => channel.id === id);
  }

  isThinking(message) {
    return Boolean(message.flags & LOADING);
  }

  /** The server that the open channel belongs to, or null in direct messages. */
  get guild() {
    return this.guilds.find((guild) => guild.id === this.channel()?.guild_id) ?? null;
  }

  userName(id) {
    const user = [...this.actors, this.bot.user].find((candidate) => candidate.id === id);
    return user && displayName(user);
  }

  roleName(id) {
    return (this.guild?.roles ?? []).find((role) => role.id === id)?.name;
  }

  channelName(id) {
    return this.channel(id)?.name;
  }

  commandsOfType(type) {
    return this.commands.filter((command) => (command.type ?? 1) === type);
  }

  get(path, query) {
    return this.request(`${path}?${new URLSearchParams({ actor: this.me.id, ...query })}`);
  }

  /** Sends an action as this person. Files are sent in a form, under the names that the caller chose. */
  send(path, payload, files = []) {
    const form = new FormData();
    form.append("payload_json", JSON.stringify({ actor: this.me.id, ...payload }));
    for (const [name, file] of files) form.append(name, file, file.name || "picture.png");
    return this.request(path, { method: "POST", body: form });
  }

  /** Fetches from the local Discord. Raises a sentence for people when it does not answer. */
  async fetch(path, options) {
    try {
      return await fetch(path, options);
    } catch {
      this.lose();
      throw new Error(NO_ANSWER);
    }
  }

  async request(path, options) {
    const response = await this.fetch(path, options);
    const body = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(body.message ?? `The local Discord answered ${response.status}`);
    return body;
  }
}

const DIRECT = 1;
const THREADS = new Set([10, 11, 12]);

export const isDirect = (channel) => channel.type === DIRECT;
export const isThread = (channel) => THREADS.has(channel.type);

/** Returns the name that people see. */
export const displayName = (user) => user.global_name || user.username;

/** Returns the URL for a CDN link on this page: the local Discord serves Discord's CDN paths under /cdn/. */
export function mediaUrl(url) {
  const parsed = new URL(url, location.origin);
  const cdn = ["cdn.discordapp.com", "media.discordapp.net"].includes(parsed.hostname);
  return cdn ? `/cdn${parsed.pathname}${parsed.search}` : parsed.href;
}
