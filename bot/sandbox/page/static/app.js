// Puts the page together.

import { Actions } from "./actions.js";
import { Composer } from "./composer.js";
import { Demo } from "./demo.js";
import { catchPictures } from "./files.js";
import { drawHeader, openColumns } from "./header.js";
import { drawIntro } from "./intro.js";
import { followLanguage } from "./language.js";
import { MessageList } from "./messages.js";
import { Session } from "./session.js";
import { Sidebar } from "./sidebar.js";
import { followTheme } from "./theme.js";
import { keepTimeStamps } from "./time.js";

const WHO = "vivant-actor"; // per tab: two tabs may be two people

const byId = (id) => document.getElementById(id);
const session = new Session();
const messages = new MessageList(byId("scroller"), session);
const composer = new Composer(byId("composer"), session);
const sidebar = new Sidebar(session, openColumns(byId("channel-header")));
const actions = new Actions(messages.list, session, composer);
const demo = new Demo(session, () => sidebar.switchPerson());

function showConnection() {
  byId("banner").classList.toggle("offline", !session.connected);
  byId("banner").textContent = session.connected
    ? "Local Discord: nothing here leaves this machine"
    : "Connection lost. Trying again…";
}

session.on("session", () => sessionStorage.setItem(WHO, session.me.id));
const header = () => session.me && drawHeader(byId("channel-header"), session, (button) => demo.openMenu(button));
for (const event of ["session", "channel", "presence", "connection"]) session.on(event, header);
for (const event of ["session", "channel"]) session.on(event, () => drawIntro(messages.intro, session, demo));
session.on("connection", showConnection);
followTheme(byId("theme"));
followLanguage(byId("language"), session);
keepTimeStamps(document.body);
catchPictures(composer, byId("drop-target"));
session.watch();

session.stayAs(sessionStorage.getItem(WHO)).then(() => document.body.classList.add("ready"));
export { actions, session, sidebar };
