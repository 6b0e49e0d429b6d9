// What a view last got from the server, kept when the next answer does not come, and the words that say so.
//
// An answer that failed never looks like an empty one: until something has come once the state is "loading" or
// "unknown", and afterwards "stale", with the age of what is still shown.

import { h } from "./dom.js";
import * as format from "./format.js";
import { said, word } from "./words.js";

export class Kept {
  // `load()` resolves to a value or throws; `changed()` is called after each attempt until `close()`.
  constructor(load, changed) {
    this.load = load;
    this.changed = changed;
    this.value = null;
    this.error = null;
    this.got = null; // when the value came, on the browser's steady clock
    this.busy = null;
    this.again = false;
    this.closed = false;
  }

  get state() {
    if (this.got === null) return this.error ? "unknown" : "loading";
    return this.error ? "stale" : "known";
  }

  get age() {
    return this.got === null ? null : (performance.now() - this.got) / 1000;
  }

  // One request at a time; who asks meanwhile is answered by one more.
  refresh() {
    if (this.busy) {
      this.again = true;
      return this.busy;
    }
    this.busy = this.attempt().finally(() => {
      this.busy = null;
      if (this.again && !this.closed) {
        this.again = false;
        this.refresh();
      }
    });
    return this.busy;
  }

  // What was kept belongs to another question now.
  forget() {
    this.value = this.error = this.got = null;
  }

  async attempt() {
    const { load } = this;
    try {
      const value = await load();
      if (this.closed || load !== this.load) return;
      [this.value, this.error, this.got] = [value, null, performance.now()];
    } catch (error) {
      if (this.closed || load !== this.load) return;
      this.error = error;
    }
    this.changed();
  }

  // Ask something else from now on.
  ask(load) {
    this.load = load;
    this.forget();
    this.changed();
    return this.refresh();
  }

  close() {
    this.closed = true;
  }
}

// A line for the states that need one; null while all is well.
export function notice(kept) {
  if (kept.state === "known") return null;
  if (kept.state === "loading") return h("p", { class: "loading", role: "status" }, word("loading"));
  const why = kept.error.body?.detail ?? word("no_server");
  const text = kept.state === "stale" ? said("kept_stale", { age: format.age(kept.age) }) : word("kept_unknown");
  const retry = h("button", { type: "button", class: "plain" }, word("retry"));
  retry.addEventListener("click", () => kept.refresh());
  return h(
    "div",
    { class: `not-known ${kept.state}`, role: "alert" },
    h("strong", {}, text),
    h("span", {}, why),
    retry,
  );
}
