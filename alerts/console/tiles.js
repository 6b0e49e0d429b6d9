// Map tiles under the stations, where the feed is set to show some (`map_tiles`): Web Mercator as everybody has it,
// each tile laid where its corners are. Over one tile the difference to our plain degrees is below a pixel.

const SIDE = 256; // px
const DEEPEST = 18;
const MOST = 60; // tiles in one view; more is a mistake of ours

let asked = null;

// {tiles: "https://.../{z}/{x}/{y}.png" or null, credit}
export function mapSettings() {
  asked ??= fetch("/console/settings.json").then((answer) => answer.json()).catch(() => {
    asked = null; // the next drawing asks again
    return { tiles: null, credit: null };
  });
  return asked;
}

const column = (lon, z) => ((lon + 180) / 360) * 2 ** z;
const row = (lat, z) => ((1 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / Math.PI) / 2) * 2 ** z;
const lon = (x, z) => (x / 2 ** z) * 360 - 180;
const lat = (y, z) => (Math.atan(Math.sinh(Math.PI * (1 - (2 * y) / 2 ** z))) * 180) / Math.PI;

// The pictures for plotly that cover `box` on a canvas so wide.
export function tilesOf(template, box, width) {
  const z = Math.min(DEEPEST, Math.floor(Math.log2((360 * width) / (SIDE * (box.east - box.west))) + 0.3));
  const found = [];
  for (let x = Math.floor(column(box.west, z)); x <= column(box.east, z); x += 1) {
    for (let y = Math.floor(row(box.north, z)); y <= row(box.south, z); y += 1) found.push(picture(template, x, y, z));
  }
  return found.length <= MOST ? found : [];
}

const picture = (template, x, y, z) => ({
  source: template.replace("{z}", z).replace("{x}", x).replace("{y}", y),
  xref: "x",
  yref: "y",
  x: lon(x, z),
  y: lat(y, z),
  sizex: lon(x + 1, z) - lon(x, z),
  sizey: lat(y, z) - lat(y + 1, z),
  sizing: "stretch",
  layer: "below",
});
