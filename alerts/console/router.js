// One view at a time under the hash of the address: "#/alert/ID?since=..." opens the view `alert` with
// {id: "ID", query: URLSearchParams}. A view's module exports `open(root, parameters, context) -> close()`.

import { h } from "./dom.js";
import { word } from "./words.js";

export const HOME = "watch";

// {name, id, query} of a hash.
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  return { name: name || HOME, id: decodeURIComponent(rest.join("/")), query: new URLSearchParams(query) };
}

export class Router {
  // `views`: name -> () => Promise<module>.
  constructor(root, views, context, onOpened) {
    this.root = root;
    this.views = views;
    this.context = context;
    this.onOpened = onOpened;
    this.close = () => {};
    this.turn = 0;
  }

  // Close what is open and open what the address says; also after a change of language.
  async open() {
    const turn = ++this.turn;
    const parameters = parse(location.hash);
    const load = this.views[parameters.name];
    const view = load ? await load().catch(() => missing("view_not_loaded")) : missing("view_unknown");
    if (turn !== this.turn) return; // somebody has gone elsewhere meanwhile
    this.close();
    this.root.replaceChildren();
    this.root.dataset.view = parameters.name;
    this.close = view.open(this.root, parameters, this.context) ?? (() => {});
    this.onOpened(parameters);
  }
}

const missing = (key) => ({
  open: (root) => void root.append(h("p", { class: "none" }, word(key))),
});
