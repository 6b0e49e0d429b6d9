// plotly.js, loaded when the first chart is drawn (5 MB, from the feed itself), and the theme's colours for it.

import { h } from "./dom.js";
import { language } from "./words.js";

// plotly.js adds a style sheet for its tile maps unless an element with this id is there. We draw none of those.
const TILE_STYLE = "ce8d464691048653ffe3a57c6c18ab566e8366f186677868cf724621a857b4fe";

let loading = null;

// Resolves to Plotly. Under the console's policy it neither evaluates code nor adds styles: plotly.css stands in
// for the style sheet that it would write into the page.
export function plotly() {
  loading ??= new Promise((resolve, reject) => {
    if (!document.getElementById(TILE_STYLE)) document.head.append(h("meta", { id: TILE_STYLE }));
    const script = document.createElement("script");
    script.src = "/console/plotly.min.js";
    script.addEventListener("load", () => resolve(window.Plotly));
    script.addEventListener("error", () => {
      loading = null; // the next view tries again
      script.remove();
      reject(new Error("plotly.min.js"));
    });
    document.head.append(script);
  });
  return loading;
}

// A colour of the theme as it is now: colour("--l3") -> "rgb(209, 36, 47)".
export function colour(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// Text for plotly, which reads a little markup in what it is given: names stay what they are.
export const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

// What every chart has in common: no logo, no tools that nobody asked for, the page's font and ink.
export const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset" };

export const layout = (own) => ({
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  font: { color: colour("--ink"), family: getComputedStyle(document.body).fontFamily, size: 12 },
  margin: { l: 48, r: 12, t: 8, b: 36 },
  separators: language() === "vi" ? ",." : ".,",
  showlegend: false,
  hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--ink") } },
  ...own,
});
