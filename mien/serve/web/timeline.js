// A timeline as it comes from the server, by person: who is where at a time, what is likeliest, and its drawing.

export const UNCERTAIN = "uncertain";
const FAMILIAR = { // as in mien/analyze/page/palette.py
  anger: "#D55E00", contempt: "#9A6FC0", disgust: "#009E73", fear: "#CC79A7", happiness: "#E69F00", joy: "#E69F00",
  neutral: "#8C8C8C", sadness: "#2A7DB8", surprise: "#56B4E9",
};
const REST = "#6E747A";
const GAP_STEPS = 1.5; // samples further apart than so many steps: the person was out of sight between them
const MOST_BINS = 600;
const WHOLE_FROM = 0.4; // who is about in so much of a video is drawn over all of it
const ROUND_S = [0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
const SVG = "http://www.w3.org/2000/svg";

/** { words, duration_s, width, height, step_s, colours, persons }; those who are seen longest come first. */
export function readTimeline({ video, words, rows }) {
  const groups = new Map();
  for (const row of rows) {
    const key = `${row.track}/${row.source}`;
    if (!groups.has(key)) groups.set(key, { key, track: row.track, source: row.source, rows: [] });
    groups.get(key).rows.push(row);
  }
  const persons = [...groups.values()];
  let step_s = Infinity;
  for (const { rows: own } of persons) {
    own.sort((a, b) => a.time_s - b.time_s);
    for (let i = 1; i < own.length; i++) step_s = Math.min(step_s, own[i].time_s - own[i - 1].time_s || Infinity);
  }
  if (!Number.isFinite(step_s)) step_s = Math.min(video.duration_s || 1, 0.25);
  const counts = Object.fromEntries(words.map((word) => [word, 0]));
  for (const person of persons) {
    person.seconds = person.rows.reduce((sum, row) => sum + Math.min(step_s, Math.max(0, (video.duration_s || Infinity) - row.time_s)), 0);
    person.shares = new Map();
    for (const { top } of person.rows) {
      person.shares.set(top, (person.shares.get(top) ?? 0) + 1 / person.rows.length);
      counts[top] = (counts[top] ?? 0) + 1;
    }
  }
  persons.sort((a, b) => b.rows.length - a.rows.length || a.track - b.track);
  return { words, persons, step_s, duration_s: video.duration_s, width: video.width, height: video.height, colours: coloursOf(words, counts) };
}

function coloursOf(words, counts) {
  const colours = new Map(words.filter((word) => Object.hasOwn(FAMILIAR, word)).map((word) => [word, FAMILIAR[word]]));
  const taken = new Set(colours.values());
  const free = [...new Set(Object.values(FAMILIAR))].filter((colour) => colour !== FAMILIAR.neutral && !taken.has(colour));
  for (const word of [...words].sort((a, b) => counts[b] - counts[a]))
    if (!colours.has(word)) colours.set(word, free.shift() ?? REST);
  return colours;
}

/** Where a person is at a time, between samples too, and what was found there; null where out of sight. */
export function sightAt(person, time_s, step_s) {
  const { rows } = person;
  let low = 0, high = rows.length; // the first row after the time
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].time_s > time_s + 1e-6) high = middle;
    else low = middle + 1;
  }
  const before = rows[low - 1], after = rows[low];
  if (!before || time_s - before.time_s > GAP_STEPS * step_s) return null;
  const gap_s = after ? after.time_s - before.time_s : Infinity;
  const share = gap_s <= GAP_STEPS * step_s ? (time_s - before.time_s) / gap_s : 0;
  if (!share && time_s - before.time_s > step_s) return null;
  const between = (name) => before[name] + share * ((after ?? before)[name] - before[name]);
  return { row: before, x0: between("x0"), y0: between("y0"), x1: between("x1"), y1: between("y1") };
}

/** "0:07.25: sadness 83 %, fear 9 %" */
export function told(timeline, person, time_s) {
  const sight = sightAt(person, time_s, timeline.step_s);
  const at = timeline.duration_s ? `${clock(time_s)}: ` : "";
  if (!sight) return `${at}out of sight`;
  const ranked = sight.row.scores.map((p, i) => [p, timeline.words[i]]).sort((a, b) => b[0] - a[0]);
  return at + ranked.slice(0, 3).filter(([p]) => p >= 0.005).map(([p, word]) => `${word} ${(100 * p).toFixed(0)} %`).join(", ");
}

export function clock(seconds) {
  const hundredths = Math.round(100 * seconds), hours = Math.floor(hundredths / 360000);
  const minutes = Math.floor(hundredths / 6000) % 60, rest = (hundredths % 6000) / 100;
  const tail = (rest < 10 ? "0" : "") + String(rest);
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

export function perCent(share) {
  if (share > 0 && share < 0.005) return "<1 %";
  if (share >= 0.995 && share < 1) return ">99 %";
  return `${(100 * share).toFixed(0)} %`;
}

/** The time that a person's drawing spans. */
export function axisOf(timeline, person) {
  const start_s = person.rows[0].time_s, end_s = person.rows.at(-1).time_s + timeline.step_s;
  const isLong = end_s - start_s >= WHOLE_FROM * timeline.duration_s;
  return isLong ? { start_s: 0, end_s: Math.max(timeline.duration_s, end_s - timeline.step_s) } : { start_s, end_s };
}

/** A list of lanes: what is likeliest when, then each word's probability over time; of a picture, a bar each. */
export function drawLanes(timeline, person, axis) {
  const list = document.createElement("ul");
  const isStill = !timeline.duration_s;
  list.classList.toggle("still", isStill);
  const shareOf = (word) => (isStill ? person.rows[0].scores[timeline.words.indexOf(word)] : person.shares.get(word) ?? 0);
  if (!isStill) list.append(lane("likeliest", band(timeline, person, axis), "share of time", "likeliest"));
  const means = person.rows[0].scores.map((_, i) => person.rows.reduce((sum, row) => sum + row.scores[i], 0));
  const order = timeline.words.map((word, i) => [word, i]).sort((a, b) => shareOf(b[0]) - shareOf(a[0]) || means[b[1]] - means[a[1]]);
  for (const [word, index] of order) {
    const colour = timeline.colours.get(word);
    const drawing = isStill
      ? svg(100, 10, [path(`M0 0h${(100 * shareOf(word)).toFixed(1)}v10H0z`, { fill: colour })])
      : svg(MOST_BINS, 100, [path(area(timeline, person, axis, index), { fill: colour })]);
    list.append(lane(word, drawing, perCent(shareOf(word))));
  }
  if (!isStill && shareOf(UNCERTAIN)) list.append(lane(UNCERTAIN, null, perCent(shareOf(UNCERTAIN))));
  return list;
}

/** Round times under the lanes. */
export function drawScale(axis) {
  const length_s = axis.end_s - axis.start_s;
  const step_s = ROUND_S.find((step) => step * 6 >= length_s) ?? 14400 * Math.ceil(length_s / 86400);
  const scale = document.createElement("div");
  scale.className = "scale";
  scale.ariaHidden = "true";
  for (let k = Math.ceil(axis.start_s / step_s); k * step_s <= axis.end_s; k++) {
    const mark = document.createElement("span"), place = (100 * (k * step_s - axis.start_s)) / length_s;
    mark.textContent = clock(k * step_s);
    mark.style.left = `${place}%`;
    mark.classList.toggle("end", place > 94);
    scale.append(mark);
  }
  return scale;
}

function lane(name, drawing, share, kind = "") {
  const item = document.createElement("li"), parts = ["name", "lane", "share"].map((part) => {
    const element = document.createElement(part === "lane" ? "div" : "span");
    element.className = part;
    return element;
  });
  if (kind) item.className = kind;
  parts[0].textContent = name;
  parts[0].dir = "auto";
  if (drawing) parts[1].append(drawing);
  parts[2].textContent = share;
  item.append(...parts);
  return item;
}

/** Each stretch with one answer as a block; a thin line where nothing is certain. */
function band(timeline, person, axis) {
  const unit = 1000 / (axis.end_s - axis.start_s), blocks = new Map();
  const { rows } = person;
  for (let first = 0, end; first < rows.length; first = end) {
    for (end = first + 1; end < rows.length; end++)
      if (rows[end].top !== rows[first].top || rows[end].time_s - rows[end - 1].time_s > GAP_STEPS * timeline.step_s) break;
    const left = (rows[first].time_s - axis.start_s) * unit;
    const width = Math.max((rows[end - 1].time_s + timeline.step_s - rows[first].time_s) * unit, 1);
    const [y, height] = rows[first].top === UNCERTAIN ? [43, 14] : [0, 100];
    const block = `M${left.toFixed(1)} ${y}h${width.toFixed(1)}v${height}h-${width.toFixed(1)}z`;
    blocks.set(rows[first].top, (blocks.get(rows[first].top) ?? "") + block);
  }
  const paths = [...blocks].map(([top, d]) => path(d, top === UNCERTAIN ? { class: "unsure" } : { fill: timeline.colours.get(top) }));
  return svg(1000, 100, paths);
}

/** The area under a word's probability: the mean of each column of time, broken where the person is out of sight. */
function area(timeline, person, axis, index) {
  const length_s = axis.end_s - axis.start_s;
  const perBin = Math.max(1, Math.ceil(Math.round(length_s / timeline.step_s) / MOST_BINS)), bin_s = perBin * timeline.step_s;
  const sums = [], counts = [];
  for (const row of person.rows) {
    const bin = Math.max(0, Math.floor((row.time_s - axis.start_s) / bin_s + 1e-6));
    sums[bin] = (sums[bin] ?? 0) + row.scores[index];
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const unit = (bin_s / length_s) * MOST_BINS;
  let d = "";
  for (let bin = 0; bin < counts.length; bin++) {
    if (!counts[bin]) continue;
    const y = (100 * (1 - sums[bin] / counts[bin])).toFixed(1);
    if (!counts[bin - 1]) d += `M${(bin * unit).toFixed(1)} 100V${y}`;
    d += `L${((bin + 0.5) * unit).toFixed(1)} ${y}`;
    if (!counts[bin + 1]) d += `H${((bin + 1) * unit).toFixed(1)}V100z`;
  }
  return d;
}

function svg(width, height, children) {
  const element = document.createElementNS(SVG, "svg");
  element.setAttribute("viewBox", `0 0 ${width} ${height}`);
  element.setAttribute("preserveAspectRatio", "none");
  element.setAttribute("aria-hidden", "true");
  element.append(...children);
  return element;
}

function path(d, attributes) {
  const element = document.createElementNS(SVG, "path");
  for (const [name, value] of Object.entries({ d, ...attributes })) element.setAttribute(name, value);
  return element;
}
