// Elements made by calls: data becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "rect", "line", "text", "g", "path", "circle", "polyline", "polygon"]);

export function h(tag, attributes = {}, ...children) {
  const node = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const byId = (id) => document.getElementById(id);

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// One child for `sync`: made anew when its language or content has changed.
export function item(key, content, make) {
  return { key, stamp: `${document.documentElement.lang} ${JSON.stringify(content)}`, make };
}

// Make a container's children agree with a list of {key, stamp, make}: what did not change stays untouched,
// and what was unfolded or focused stays so.
export function sync(container, items) {
  const known = new Map([...container.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const old = known.get(item.key);
    if (old && old.dataset.stamp === item.stamp) return old;
    const node = item.make();
    node.dataset.key = item.key;
    node.dataset.stamp = item.stamp;
    if (old) keepPlace(old, node);
    return node;
  });
  for (const child of [...container.children]) {
    if (!wanted.includes(child)) child.remove();
  }
  wanted.forEach((node, place) => {
    if (container.children[place] !== node) container.insertBefore(node, container.children[place] ?? null);
  });
  const focus = container.querySelector("[data-focus]");
  if (focus) {
    focus.removeAttribute("data-focus");
    focus.focus({ preventScroll: true });
  }
}

// What was unfolded stays unfolded, and the focus stays on the part that had it.
function keepPlace(old, node) {
  if (old.open || old.querySelector("details")?.open) (old.open ? node : node.querySelector("details")).open = true;
  if (!old.contains(document.activeElement)) return;
  const part = document.activeElement.dataset.part;
  const same = part && node.querySelector(`[data-part="${part}"]`);
  (same || node.querySelector("a, summary, button") || node).setAttribute("data-focus", "");
}
