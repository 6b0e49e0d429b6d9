// The way to the server: the live stream, the snapshots, and how far this page can see.
//
// A dead server sends nothing, so silence is judged here, on the browser's own clocks: without a frame for
// SILENT_S, or with a last commit older than UNKNOWN_S, everything is unknown.

const SILENT_S = 15; // three status events missed
const UNKNOWN_S = 45; // as in alerts/sight.py
const CONNECTING_S = 8;
const REFRESH_MS = 2500;
const SETTLE_MS = 150; // events of one commit come together: one refresh for all
const RECONNECT_MS = 2000;
const FORECASTS_MS = 60_000; // a new one comes with each reading, 5 minutes apart
const EVENTS = 80;

// Seconds since a mark. The larger of two clocks: one stands still while a laptop sleeps, the other can be set.
const mark = () => ({ steady: performance.now(), wall: Date.now() });
const since = (then) => Math.max(performance.now() - then.steady, Date.now() - then.wall, 0) / 1000;

export class Feed {
  constructor(api) {
    this.api = api;
    this.changed = new Set();
    this.told = new Set();
    this.clear();
  }

  // Call `fn()` at each change until the returned function is called.
  subscribe(fn) {
    this.changed.add(fn);
    return () => this.changed.delete(fn);
  }

  // Call `fn(event)` for each event that comes live.
  listen(fn) {
    this.told.add(fn);
    return () => this.told.delete(fn);
  }

  onChange() {
    for (const fn of [...this.changed]) fn();
  }

  clear() {
    this.stations = [];
    this.alerts = [];
    this.forecasts = new Map(); // key of a datastream -> its newest forecast
    this.events = [];
    this.nature = null;
    this.asOf = null;
    this.source = null;
    this.open = false;
    this.started = mark();
    this.heard = mark();
    this.dated = mark(); // when `asOf` came
    this.position = null;
    this.loading = null;
    this.loaded = false; // whether stations and alerts have come once
    this.timers = [];
  }

  async start() {
    this.stop();
    this.timers = [
      setInterval(() => this.watch(), 1000),
      setInterval(() => this.open && !document.hidden && this.refresh(), REFRESH_MS),
      setInterval(() => this.open && !document.hidden && this.loadForecasts(), FORECASTS_MS),
    ];
    document.addEventListener("visibilitychange", this.seen);
    await Promise.all([this.loadAll(), this.loadForecasts()]);
    if (this.timers.length) this.connect();
  }

  // Nobody is logged in any more: what was shown is forgotten.
  stop() {
    this.timers.forEach(clearInterval);
    clearTimeout(this.settling);
    clearTimeout(this.retrying);
    document.removeEventListener("visibilitychange", this.seen);
    this.source?.close();
    this.clear();
    this.onChange();
  }

  seen = () => document.hidden || this.refresh();

  // What may be claimed now: {state, reason, age}.
  sight() {
    const silent = since(this.heard);
    if (!this.asOf) {
      const lost = since(this.started) > CONNECTING_S;
      return { state: lost ? "unknown" : "connecting", reason: lost ? "stream_lost" : "", age: null };
    }
    const age = this.asOf.age_s === null ? null : this.asOf.age_s + since(this.dated);
    if (silent > SILENT_S) return { state: "unknown", reason: "stream_lost", age };
    if (this.asOf.state === "unknown") return { state: "unknown", reason: this.asOf.reason, age };
    if (age === null || age > UNKNOWN_S) return { state: "unknown", reason: "commit_too_old", age };
    if (!this.open) return { state: "not_live", reason: "stream_lost", age };
    if (this.asOf.state === "blind") return { state: "blind", reason: this.asOf.reason, age };
    return { state: "live", reason: "", age };
  }

  // Whether anything may be said of now.
  known() {
    const { state } = this.sight();
    return state !== "unknown" && state !== "connecting";
  }

  connect() {
    this.source?.close();
    this.open = false;
    const after = this.position === null ? "" : `?after=${this.position}`;
    const source = new EventSource(`/api/v1/events/stream${after}`);
    this.source = source;
    source.addEventListener("open", () => this.hear(() => (this.open = true)));
    source.addEventListener("status", (event) => this.hear(() => this.takeStatus(JSON.parse(event.data))));
    source.addEventListener("alert", (event) => this.hear(() => this.takeEvent(JSON.parse(event.data))));
    source.addEventListener("reset", (event) => this.hear(() => this.reset(JSON.parse(event.data))));
    source.addEventListener("error", () => this.lost(source));
  }

  lost(source) {
    if (source !== this.source) return;
    this.open = false;
    if (source.readyState === EventSource.CLOSED) this.retrying = setTimeout(() => this.connect(), RECONNECT_MS);
    this.onChange();
  }

  hear(action) {
    this.heard = mark();
    action();
    this.onChange();
  }

  watch() {
    const mute = since(this.heard) > SILENT_S && this.source?.readyState === EventSource.OPEN;
    if (mute) this.connect(); // the network can lose a connection without telling the browser
    this.onChange();
  }

  takeStatus(status) {
    this.open = true;
    this.nature = status.nature;
    this.takeAsOf(status.as_of);
  }

  takeAsOf(asOf) {
    this.asOf = asOf;
    this.dated = mark();
  }

  takeEvent(event) {
    this.position = event.seq;
    if (event.shadow || this.events.some((known) => known.seq === event.seq)) return;
    this.events = [event, ...this.events].slice(0, EVENTS);
    for (const fn of [...this.told]) fn(event);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.refresh(), SETTLE_MS);
  }

  reset({ head }) {
    this.position = head;
    this.loadAll();
  }

  async loadAll() {
    const answer = await this.get(`/api/v1/events?limit=${EVENTS}`);
    if (answer) {
      this.events = answer.events.reverse().filter((event) => !event.shadow);
      this.position = answer.head;
    }
    await this.refresh();
  }

  // Stations and alerts as they are now; one request of each at a time.
  refresh() {
    this.loading ??= this.load().finally(() => (this.loading = null));
    return this.loading;
  }

  // The same after something was done: what is on its way already does not know of it.
  async refreshAnew() {
    await this.loading;
    return this.refresh();
  }

  async load() {
    const [stations, alerts] = await Promise.all([this.get("/api/v1/stations"), this.get("/api/v1/alerts")]);
    if (stations) this.stations = stations.stations;
    if (alerts) this.alerts = alerts.alerts;
    this.loaded ||= Boolean(stations && alerts);
    this.onChange();
  }

  async loadForecasts() {
    const answer = await this.get("/api/v1/forecasts");
    if (answer) this.forecasts = new Map(answer.forecasts.map((each) => [each.datastream, each]));
  }

  // The answer, or null: the stream and the clocks say what a missing one means.
  async get(path) {
    try {
      const answer = await this.api.get(path);
      this.takeAsOf(answer.as_of);
      return answer;
    } catch (error) {
      if (error.body?.as_of) this.takeAsOf(error.body.as_of);
      return null;
    }
  }
}
