// Draws a figure into a page and keeps it drawn: sizes, the theme's colours, the language's numbers.

import { fromAxis } from "./chart-time.js";
import { CONFIG, colour, layout as common, plotly } from "./plot.js";
import { language } from "./words.js";

const NARROW = "(max-width: 640px)";
// What plotly's bundle does not carry; the numeric formats of our axes need no names of months in Vietnamese.
const VIETNAMESE = {
  moduleType: "locale",
  name: "vi",
  dictionary: {},
  format: {
    decimal: ",",
    thousands: ".",
    grouping: [3],
    currency: ["", "\u00a0₫"],
    dateTime: "%H:%M %d/%m/%Y",
    date: "%d/%m/%Y",
    time: "%H:%M",
  },
};

export class Chart {
  // `onRange(since, until)`: somebody has chosen a stretch with the pointer; nulls: all of it again.
  constructor(node, onRange) {
    this.node = node;
    this.onRange = onRange;
    this.narrow = matchMedia(NARROW);
    this.redraw = () => this.make && this.draw(this.make);
    this.narrow.addEventListener("change", this.redraw);
  }

  // `make({colour, narrow})` gives {data, layout}. Rejects where plotly does not come.
  async draw(make) {
    this.make = make;
    const Plotly = await plotly();
    if (this.closed) return;
    Plotly.register(VIETNAMESE);
    const { data, layout } = make({ colour, narrow: this.narrow.matches });
    await Plotly.react(this.node, data, common(layout), { ...CONFIG, locale: language(), doubleClick: false });
    this.listen();
  }

  listen() {
    if (this.heard) return;
    this.heard = true;
    this.node.on("plotly_relayout", (change) => {
      const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (from !== undefined && to !== undefined) this.onRange(fromAxis(from), fromAxis(to));
    });
    this.node.on("plotly_doubleclick", () => this.onRange(null, null));
  }

  close() {
    this.closed = true;
    this.narrow.removeEventListener("change", this.redraw);
    window.Plotly?.purge(this.node);
  }
}
