// The sound of an alert that waits: when a severe one is raised or grows, again and again until somebody has
// acknowledged it or muted it here. A browser lets a page sound only after a touch: until then the page says that
// its sound is off.

import { rank, waiting } from "./alert-order.js";
import { remember, remembered } from "./choices.js";

const LOUD = rank("Severe");
const AGAIN_MS = 20_000; // often enough to be missed by nobody, seldom enough to be left on
const TONES = [880, 660, 880]; // Hz: three short tones, unlike a telephone
const TONE_S = 0.22;
const VOLUME = 0.25;

export class Sound {
  constructor(feed) {
    this.feed = feed;
    this.wanted = remembered("sound") !== "off";
    this.silenced = new Map(); // alert -> the level at which it was muted here
    this.audio = null;
    this.played = 0; // how often it has sounded since the page was opened
    this.last = 0;
  }

  // "on", "off" by choice, or "blocked" by the browser.
  get state() {
    if (!this.wanted) return "off";
    return this.audio?.state === "running" ? "on" : "blocked";
  }

  choose(wanted) {
    this.wanted = wanted;
    remember("sound", wanted ? "on" : "off");
    if (wanted) this.touch();
  }

  // Called in somebody's touch: from here on the browser allows it.
  touch() {
    if (!this.wanted) return;
    this.audio ??= new AudioContext();
    if (this.audio.state === "suspended") this.audio.resume();
  }

  mute(alertId) {
    const alert = this.feed.alerts.find((each) => each.alert_id === alertId);
    if (this.muted(alertId)) this.silenced.delete(alertId);
    else if (alert) this.silenced.set(alertId, alert.newest.level);
  }

  // Muted at the level at which it stands; when it grows, it speaks again.
  muted(alertId) {
    const alert = this.feed.alerts.find((each) => each.alert_id === alertId);
    return Boolean(alert && this.silenced.get(alertId) >= alert.newest.level);
  }

  // The alerts for which it sounds.
  calling() {
    return this.feed.alerts.filter(
      (alert) => rank(alert.newest.severity) >= LOUD && waiting(alert) && !this.muted(alert.alert_id),
    );
  }

  // Called at each change of the feed. New ones are heard at once.
  watch(now = Date.now()) {
    const calling = this.calling();
    const known = this.heard ?? new Set();
    const fresh = calling.some((alert) => !known.has(`${alert.alert_id} ${alert.newest.level}`));
    this.heard = new Set(calling.map((alert) => `${alert.alert_id} ${alert.newest.level}`));
    if (calling.length && (fresh || now - this.last >= AGAIN_MS)) this.play(now);
  }

  play(now) {
    if (this.state !== "on") return;
    this.last = now;
    this.played += 1;
    TONES.forEach((pitch, at) => this.tone(pitch, this.audio.currentTime + at * TONE_S * 1.3));
  }

  tone(pitch, from) {
    const [source, volume] = [this.audio.createOscillator(), this.audio.createGain()];
    source.frequency.value = pitch;
    volume.gain.setValueAtTime(0, from);
    volume.gain.linearRampToValueAtTime(VOLUME, from + 0.02);
    volume.gain.linearRampToValueAtTime(0, from + TONE_S);
    source.connect(volume).connect(this.audio.destination);
    source.start(from);
    source.stop(from + TONE_S);
  }
}
