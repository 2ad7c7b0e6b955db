// The page: a file goes to the server, and comes back as boxes over the video and a timeline that moves it.

import { get, getBlob, hasToken, onTokenWanted, Refused, remove, send } from "./api.js";
import { axisOf, clock, drawLanes, drawScale, readTimeline, sightAt, told, UNCERTAIN } from "./timeline.js";

const RESULTS = { csv: "timeline.csv", parquet: "timeline.parquet", report: "report.html", annotated: "annotated.mp4" };
const resultsOf = (timeline) => (timeline.duration_s ? RESULTS : { ...RESULTS, annotated: "annotated.jpg" });
const element = (id) => document.getElementById(id);
const form = element("form"), drop = element("drop"), file = element("file"), screen = element("screen");
const person = element("person"), plot = element("plot");

let running = null; // { abort, job }: what is under way
let shown = null; // { job, timeline, media, canvas, address, axis, scrub, time_s }: what is on the page

// ── choosing ──

for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault()); // a missed drop would leave the page
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) file.files = event.dataTransfer.files;
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!running) analyse(file.files[0]);
});
element("cancel").addEventListener("click", () => running?.abort.abort());
element("delete").addEventListener("click", () => attempt(async () => {
  await remove(`v1/jobs/${shown.job}`);
  clear();
  file.focus();
}));

onTokenWanted((note) => new Promise((resolve) => {
  const dialog = element("ask"), input = element("token");
  if (note) tell(note);
  input.value = "";
  dialog.returnValue = "";
  dialog.addEventListener("close", () => resolve(dialog.returnValue === "send" ? input.value.trim() : ""), { once: true });
  dialog.showModal();
}));

// ── analysing ──

async function analyse(source) {
  const abort = new AbortController();
  running = { abort, job: null };
  clear();
  tell("");
  busy(true);
  await attempt(async () => {
    const wanted = new FormData();
    wanted.append("words", element("words").value);
    wanted.append("min_confidence", String(Number(element("min-confidence").value) / 100));
    wanted.append("annotate", String(element("annotate").checked));
    wanted.append("file", source); // last, so that what is wrong with the others is told before it is sent
    progress("sending", 0, 1);
    const onSent = (share) => (share < 1 ? progress("sending", share, 1) : progress("being checked", 0, 0));
    const job = await send("v1/analyze", wanted, { signal: abort.signal, onSent });
    running.job = job.id;
    await finished(job, abort.signal);
    progress("fetching the timeline", 0, 0);
    const timeline = readTimeline(await get(`v1/jobs/${job.id}/timeline.json`));
    await show(job.id, timeline, source);
  });
  if (abort.signal.aborted && running.job) await remove(`v1/jobs/${running.job}`).catch(() => {}); // it may be over already
  running = null;
  busy(false);
}

async function finished(job, signal) {
  for (let wait_ms = 200; ; wait_ms = Math.min(1.3 * wait_ms, 2000)) {
    if (signal.aborted) throw new DOMException("", "AbortError");
    const now = await get(`v1/jobs/${job.id}`, { signal });
    if (now.status === "done") return;
    if (now.status === "failed") throw new Refused(now.error || "The analysis failed; the server does not say why.");
    if (now.status === "cancelled") throw new Refused("The analysis was called off.");
    progress(now.status === "queued" ? "waiting for its turn" : now.stage || "starting", now.done, now.total);
    await new Promise((resolve) => setTimeout(resolve, wait_ms));
  }
}

/** Does what may be refused, and tells what is. */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (error.name === "AbortError") tell("Cancelled.");
    else if (error instanceof Refused) tell(error.message);
    else { tell(`Something went wrong on this page: ${error.message}`); console.error(error); }
  }
}

function tell(message) {
  element("error").textContent = message;
  element("error").hidden = !message;
}
function busy(is) {
  element("working").hidden = !is;
  element("start").disabled = is;
}
function progress(stage, done, total) {
  const bar = element("bar");
  element("stage").textContent = total ? `${stage}: ${Math.floor((100 * done) / total)} %` : stage;
  if (total) { bar.max = total; bar.value = done; } else bar.removeAttribute("value");
}

// ── showing ──

function clear() {
  if (shown?.address) URL.revokeObjectURL(shown.address);
  shown = null;
  screen.replaceChildren();
  plot.replaceChildren();
  element("result").hidden = true;
}

async function show(job, timeline, source) {
  shown = { job, timeline, address: URL.createObjectURL(source), time_s: 0 };
  element("title").textContent = source.name;
  for (const [id, name] of Object.entries(resultsOf(timeline)))
    Object.assign(element(id), { href: `v1/jobs/${job}/${name}`, download: name });
  element("annotated").textContent = timeline.duration_s ? "Video with boxes" : "Picture with boxes";
  element("annotated").hidden = !element("annotate").checked;
  element("unplayable").hidden = true;
  const isEmpty = !timeline.persons.length;
  element("nobody").hidden = !isEmpty;
  element("who").hidden = isEmpty;
  element("reading").hidden = isEmpty || !timeline.duration_s;
  person.replaceChildren(...timeline.persons.map((each) => new Option(nameOf(each), each.key)));
  element("result").hidden = false;
  showMedia(timeline.duration_s ? "video" : "img", shown.address);
  if (!isEmpty) pick(timeline.persons[0]);
  element("title").focus();
}

function nameOf(each) {
  const most = [...each.shares].filter(([word]) => word !== UNCERTAIN).sort((a, b) => b[1] - a[1])[0];
  const twice = shown.timeline.persons.filter(({ track }) => track === each.track).length > 1;
  const facts = [`person ${each.track}`, twice ? (each.source === "face" ? "the face" : "body and setting") : "",
    shown.timeline.duration_s ? `${each.seconds.toFixed(1)} s` : "", most ? (shown.timeline.duration_s ? `mostly ${most[0]}` : most[0]) : "uncertain"];
  return facts.filter(Boolean).join(" · ");
}

function showMedia(tag, address) {
  const media = document.createElement(tag), canvas = document.createElement("canvas");
  canvas.ariaHidden = "true";
  shown.media = media;
  shown.canvas = canvas;
  if (tag === "video") {
    media.controls = true;
    media.muted = true;
    media.setAttribute("controlslist", "nofullscreen"); // the boxes would stay behind
    for (const kind of ["seeked", "timeupdate", "loadeddata"]) media.addEventListener(kind, () => moveTo(media.currentTime));
    media.addEventListener("play", follow);
  } else {
    media.alt = "the picture, with boxes around those who were found";
    media.addEventListener("load", drawBoxes);
  }
  media.addEventListener("error", () => unplayable(), { once: true });
  media.src = address;
  screen.replaceChildren(media, canvas);
  new ResizeObserver(drawBoxes).observe(media);
}

/** Where the browser cannot show the file: the server's copy, which every browser plays, with its boxes in it. */
async function unplayable() {
  const at = shown;
  let copy = null;
  if (!element("annotated").hidden) copy = await getBlob(element("annotated").getAttribute("href")).catch(() => null);
  if (at !== shown) return;
  const note = element("unplayable");
  note.hidden = false;
  screen.replaceChildren();
  shown.media = shown.canvas = null;
  note.textContent = "This browser cannot show the file itself; the timeline and the tables are complete.";
  if (!copy) return;
  note.textContent = "This browser cannot show the file itself; this is the copy with boxes in it.";
  URL.revokeObjectURL(shown.address);
  shown.address = URL.createObjectURL(copy);
  const media = Object.assign(document.createElement(at.timeline.duration_s ? "video" : "img"), { src: shown.address });
  if (at.timeline.duration_s) {
    Object.assign(media, { controls: true, muted: true });
    for (const kind of ["seeked", "timeupdate"]) media.addEventListener(kind, () => moveTo(media.currentTime));
    shown.media = media;
  } else media.alt = "the picture with boxes";
  screen.replaceChildren(media);
}

person.addEventListener("change", () => {
  const picked = pickedPerson();
  pick(picked);
  if (!sightAt(picked, shown.time_s, shown.timeline.step_s)) go(picked.rows[0].time_s);
});
element("boxes").addEventListener("change", drawBoxes);
const pickedPerson = () => shown.timeline.persons.find(({ key }) => key === person.value);

function pick(picked) {
  const { timeline } = shown;
  person.value = picked.key;
  shown.axis = axisOf(timeline, picked);
  plot.replaceChildren(drawLanes(timeline, picked, shown.axis));
  shown.scrub = null;
  if (timeline.duration_s) {
    const row = document.createElement("div");
    row.className = "scale-row";
    row.append(drawScale(shown.axis));
    shown.scrub = makeScrub(picked);
    plot.append(row, shown.scrub);
  }
  moveTo(shown.time_s);
}

function makeScrub(picked) {
  const scrub = document.createElement("div"), cursor = document.createElement("i");
  const { start_s, end_s } = shown.axis, { step_s } = shown.timeline;
  scrub.className = "scrub";
  scrub.id = "scrub";
  cursor.className = "cursor";
  scrub.append(cursor);
  scrub.tabIndex = 0;
  scrub.role = "slider";
  scrub.ariaLabel = `time, person ${picked.track}`;
  scrub.ariaValueMin = start_s.toFixed(2);
  scrub.ariaValueMax = end_s.toFixed(2);
  const timeAt = (event) => {
    const box = scrub.getBoundingClientRect();
    return start_s + (end_s - start_s) * Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  };
  scrub.addEventListener("click", (event) => go(timeAt(event)));
  scrub.addEventListener("pointermove", (event) => { if (event.buttons & 1) go(timeAt(event)); });
  scrub.addEventListener("keydown", (event) => {
    const page_s = Math.max(10 * step_s, (end_s - start_s) / 20), now_s = Math.min(Math.max(shown.time_s, start_s), end_s);
    const to = {
      ArrowRight: now_s + step_s, ArrowUp: now_s + step_s, ArrowLeft: now_s - step_s, ArrowDown: now_s - step_s,
      PageUp: now_s + page_s, PageDown: now_s - page_s, Home: start_s, End: end_s,
    }[event.key];
    if (event.key === " " && shown.media) {
      event.preventDefault();
      if (shown.media.paused) shown.media.play();
      else shown.media.pause();
    }
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    go(Math.min(Math.max(to, start_s), end_s));
  });
  return scrub;
}

// ── one time for video, boxes and timeline ──

function go(time_s) {
  if (shown.media) shown.media.currentTime = time_s;
  moveTo(time_s);
}

function moveTo(time_s) {
  if (!shown) return;
  shown.time_s = time_s;
  drawBoxes();
  if (!shown.timeline.persons.length) return;
  const text = told(shown.timeline, pickedPerson(), time_s);
  element("reading").textContent = text;
  if (!shown.scrub) return;
  const { start_s, end_s } = shown.axis, cursor = shown.scrub.firstElementChild;
  cursor.hidden = time_s < start_s || time_s > end_s;
  cursor.style.left = `${(100 * (time_s - start_s)) / (end_s - start_s)}%`;
  shown.scrub.ariaValueNow = Math.min(Math.max(time_s, start_s), end_s).toFixed(2);
  shown.scrub.ariaValueText = text;
}

function follow() {
  if (!shown?.media || shown.media.paused) return;
  moveTo(shown.media.currentTime);
  requestAnimationFrame(follow);
}

function drawBoxes() {
  if (!shown?.canvas) return;
  const { canvas, media, timeline } = shown, dense = devicePixelRatio || 1;
  canvas.width = Math.round(media.clientWidth * dense);
  canvas.height = Math.round(media.clientHeight * dense);
  const ink = canvas.getContext("2d");
  canvas.dataset.boxes = "0";
  if (!element("boxes").checked || !canvas.width) return;
  ink.scale(canvas.width / timeline.width, canvas.height / timeline.height);
  const pixel = timeline.width / media.clientWidth; // one of the page's, in the video's
  const order = [...timeline.persons].reverse().sort((a, b) => (a.key === person.value) - (b.key === person.value));
  for (const each of order) { // the one picked comes last, over the others
    const sight = sightAt(each, shown.time_s, timeline.step_s);
    if (sight) drawBox(ink, sight, { pixel, isPicked: each.key === person.value, name: `${each.track}` });
  }
}

function drawBox(ink, { row, x0, y0, x1, y1 }, { pixel, isPicked, name }) {
  const { timeline, canvas } = shown, colour = timeline.colours.get(row.top) ?? "#e5e7eb";
  ink.lineWidth = (isPicked ? 5 : 3.5) * pixel;
  ink.strokeStyle = "rgb(0 0 0 / .6)";
  ink.strokeRect(x0, y0, x1 - x0, y1 - y0);
  ink.lineWidth = (isPicked ? 3 : 1.5) * pixel;
  ink.strokeStyle = colour;
  ink.strokeRect(x0, y0, x1 - x0, y1 - y0);
  const sure = row.top === UNCERTAIN ? "" : ` ${(100 * row.confidence).toFixed(0)} %`;
  const label = `${name}: ${row.top}${sure}`, size = 13 * pixel;
  ink.font = `${isPicked ? 700 : 500} ${size}px system-ui, sans-serif`;
  const width = ink.measureText(label).width + 10 * pixel, height = 19 * pixel;
  const left = Math.min(Math.max(x0, 0), Math.max(timeline.width - width, 0)), top = y0 > height ? y0 - height : y0;
  ink.fillStyle = colour;
  ink.fillRect(left, top, width, height);
  ink.fillStyle = "#000";
  ink.fillText(label, left + 5 * pixel, top + 14 * pixel);
  canvas.dataset.boxes = String(Number(canvas.dataset.boxes) + 1);
}

// ── taking away ──

for (const id of Object.keys(RESULTS)) {
  element(id).addEventListener("click", (event) => {
    if (id === "annotated" && !hasToken()) return; // it may be large: the browser fetches it, and needs no token
    event.preventDefault();
    attempt(async () => {
      const link = element(id), address = URL.createObjectURL(await getBlob(link.getAttribute("href")));
      Object.assign(document.createElement("a"), { href: address, download: link.download }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    });
  });
}
