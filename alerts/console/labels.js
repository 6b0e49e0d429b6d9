// Where the names on the map go: beside their mark on the first side that is free, the most urgent chosen first, and
// left out where no side is. No page here.

const LETTER = 6.4; // px, the mean width of a letter at 11.5 px
const LINE = 15; // px
const GAP = 12; // px from the mark's middle to the text
const MARK = 9; // px: half of what a mark covers

// As plotly lays them: GAP away on both sides of a corner, and three pixels nearer above and below.
const up = (y) => y - GAP - LINE + 3;
const down = (y) => y + GAP - 3;
const SIDES = {
  "middle right": (x, y, wide) => [x + GAP, y - LINE / 2, wide, LINE],
  "middle left": (x, y, wide) => [x - GAP - wide, y - LINE / 2, wide, LINE],
  "top right": (x, y, wide) => [x + GAP, up(y), wide, LINE],
  "top left": (x, y, wide) => [x - GAP - wide, up(y), wide, LINE],
  "bottom right": (x, y, wide) => [x + GAP, down(y), wide, LINE],
  "bottom left": (x, y, wide) => [x - GAP - wide, down(y), wide, LINE],
  "top center": (x, y, wide) => [x - wide / 2, up(y), wide, LINE],
  "bottom center": (x, y, wide) => [x - wide / 2, down(y), wide, LINE],
};

const overlap = ([x, y, wide, high], [a, b, width, height]) =>
  x < a + width && a < x + wide && y < b + height && b < y + high;

// Sides as plotly names them, or null, for points {lon, lat, text, urgent} of which the last is the most urgent.
// The name of an urgent one may cover the mark of a less urgent one, but no other name.
export function place(points, box, size) {
  const at = points.map(({ lon, lat }) => [
    ((lon - box.west) / (box.east - box.west)) * size.width,
    ((box.north - lat) / (box.north - box.south)) * size.height,
  ]);
  const marks = at.map(([x, y]) => [x - MARK, y - MARK, 2 * MARK, 2 * MARK]);
  const names = [];
  const sides = points.map(() => null);
  for (let i = points.length - 1; i >= 0; i -= 1) {
    const wide = points[i].text.length * LETTER;
    const others = marks.filter((mark, j) => j !== i);
    const found = free(at[i], wide, [...names, ...others], size) ??
      (points[i].urgent && free(at[i], wide, [...names, ...marks.slice(i + 1)], size));
    if (!found) continue;
    [sides[i]] = found;
    names.push(found[1]);
  }
  return sides;
}

function free([x, y], wide, taken, size) {
  for (const [side, shape] of Object.entries(SIDES)) {
    const found = shape(x, y, wide);
    const inside = found[0] >= 0 && found[1] >= 0 && found[0] + wide <= size.width && found[1] + LINE <= size.height;
    if (inside && !taken.some((each) => overlap(found, each))) return [side, found];
  }
  return null;
}
