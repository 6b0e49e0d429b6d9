// Whether somebody is at this desk: told each minute, active when key, pointer or touch moved within it. The feed
// calls for help when nobody is there at night.

const EACH_MS = 60_000;
const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel", "touchstart"];

export class Presence {
  constructor(api) {
    this.api = api;
    this.touched = true; // who opens the page is there
    for (const sign of SIGNS) addEventListener(sign, () => (this.touched = true), { passive: true, capture: true });
  }

  start() {
    this.stop();
    this.timer = setInterval(() => this.tell(), EACH_MS);
    this.tell();
  }

  stop() {
    clearInterval(this.timer);
  }

  tell() {
    const active = this.touched;
    this.touched = false;
    this.api.post("/api/v1/presence", { active }).catch(() => {}); // the lamp says when the server is away
  }
}
