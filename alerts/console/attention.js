// Calls out where the page is not looked at: a dot on the browser's tab while a severe alert waits, and a desktop
// notice where somebody has allowed it. The title itself is the header's.

import { byId } from "./dom.js";
import { pick } from "./words.js";

const CALM = "/console/icon.svg";
const ALARM = "/console/icon-alarm.svg";

const notified = new Set();

// Called at each change of the feed.
export function callOut(feed, sound) {
  const calling = sound.calling();
  const icon = calling.length ? ALARM : CALM;
  if (byId("icon").getAttribute("href") !== icon) byId("icon").setAttribute("href", icon);
  const fresh = calling.filter((alert) => !notified.has(key(alert)));
  for (const alert of fresh) {
    notified.add(key(alert));
    notify(alert);
  }
}

const key = ({ alert_id: id, newest }) => `${id} ${newest.level}`;

function notify(alert) {
  if (!document.hidden || !("Notification" in window) || Notification.permission !== "granted") return;
  new Notification(pick(alert.newest.headline), { tag: alert.alert_id, icon: ALARM });
}

// Ask for it, in somebody's touch; resolves to whether it is allowed.
export async function allowNotices() {
  if (!("Notification" in window)) return false;
  return (await Notification.requestPermission()) === "granted";
}
