
"use strict";
// Filters, order, pages and keys of the clips. The state of the form is the address (#emotion=joy&page=2), so that a
// view can be kept and sent; without script, all clips stand one below the other.
(() => {
  const PAGE = 20;
  const FILTERS = ["emotion", "video", "persons"];
  const form = document.getElementById("filters");
  if (!form) return;
  document.documentElement.classList.add("scripted");
  const section = document.getElementById("clips");
  const list = document.getElementById("cards");
  const pager = document.getElementById("pager");
  const cards = [...list.children];
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const words = new Map(cards.map((c) => [c, plain(c.dataset.id + " " + c.querySelector(".said").textContent)]));
  const fresh = Object.fromEntries([...form.elements].filter((f) => f.name).map((f) => [f.name, read(f)]));
  let page = 1;
  let shown = [];

  function read(field) { return field.type === "checkbox" ? (field.checked ? "1" : "0") : field.value; }
  function write(field, value) {
    if (field.type === "checkbox") field.checked = value === "1";
    else field.value = value;
    if (field.type !== "select-one" || field.selectedIndex >= 0) return;
    if (FILTERS.includes(field.name)) field.add(new Option(value, value, false, true)); // what no clip has: none is shown
    else field.value = fresh[field.name];
  }
  function fill(valueOf) { for (const field of form.elements) if (field.name) write(field, valueOf(field.name)); }

  // ── what is shown ──
  function fits(card, want) {
    const d = card.dataset, persons = Number(d.persons), seconds = Number(d.seconds);
    return (!want.q || plain(want.q).split(/\s+/).every((word) => words.get(card).includes(word)))
      && (!want.emotion || d.emotion === want.emotion)
      && (!want.video || d.video === want.video)
      && (!want.persons || (want.persons.endsWith("+") ? persons >= parseInt(want.persons) : persons === Number(want.persons)))
      && (!want.min || seconds >= Number(want.min))
      && (!want.max || seconds <= Number(want.max))
      && (want.seen !== "1" || d.subjects.split(" ").includes(want.subject));
  }
  const byTime = (a, b) => (a.dataset.video < b.dataset.video ? -1 : a.dataset.video > b.dataset.video ? 1 : 0)
    || a.dataset.start - b.dataset.start;
  function ordered(found, sort) {
    if (!sort) return found;
    if (sort === "time") return found.sort(byTime);
    const key = sort.replace("-", ""), sign = sort.startsWith("-") ? -1 : 1;
    return found.sort((a, b) => sign * (a.dataset[key] - b.dataset[key]));
  }

  function show() {
    const want = Object.fromEntries([...form.elements].filter((f) => f.name).map((f) => [f.name, read(f)]));
    section.dataset.subject = want.subject;
    list.classList.toggle("no-boxes", want.boxes !== "1");
    list.classList.toggle("no-faces", want.faces !== "1");
    shown = ordered(cards.filter((card) => fits(card, want)), want.sort);
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    page = Math.min(Math.max(page, 1), pages);
    const now = shown.slice((page - 1) * PAGE, page * PAGE);
    cards.forEach((card) => { card.hidden = !now.includes(card); });
    if (now.some((card, i) => list.children[i] !== card)) list.prepend(...now); // moving a card takes its focus away
    document.getElementById("count").textContent =
      shown.length === cards.length ? `${cards.length} shown` : `${shown.length} of ${cards.length} shown`;
    document.getElementById("nothing").hidden = shown.length > 0;
    pager.hidden = pages < 2;
    document.getElementById("page").textContent = `page ${page} of ${pages}`;
    pager.querySelectorAll("button").forEach((b) => { b.disabled = b.dataset.step < 0 ? page === 1 : page === pages; });
    return want;
  }
  function turn(to, focus) {
    page = to;
    keep(show());
    if (focus) section.scrollIntoView();
  }

  // ── the address ──
  function keep(want) {
    const changed = Object.entries(want).filter(([name, value]) => value !== fresh[name]);
    if (page > 1) changed.push(["page", String(page)]);
    history.replaceState(null, "", "#" + new URLSearchParams(changed));
  }
  function restore() {
    const hash = location.hash.slice(1);
    const card = hash.startsWith("clip-") && document.getElementById(hash);
    if (card) return goTo(card);
    if (hash && !hash.includes("=")) return show(); // a section's anchor
    const kept = new URLSearchParams(hash);
    fill((name) => kept.get(name) ?? fresh[name]);
    page = Number(kept.get("page")) || 1;
    show();
  }
  function goTo(card) {
    if (!shown.includes(card)) { fill((name) => fresh[name]); show(); }
    page = Math.floor(shown.indexOf(card) / PAGE) + 1;
    show();
    card.focus({ preventScroll: true });
    card.scrollIntoView();
  }

  // ── keys ──
  function step(by) {
    if (!shown.length) return;
    const at = shown.indexOf(document.activeElement.closest?.(".clip"));
    goTo(shown[at < 0 ? (page - 1) * PAGE : Math.min(Math.max(at + by, 0), shown.length - 1)]);
  }
  function toggle(name) {
    form.elements[name].checked = !form.elements[name].checked;
    keep(show());
  }
  const keys = { j: () => step(1), k: () => step(-1), b: () => toggle("boxes"), "/": () => form.elements.q.focus() };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target === form.elements.q) return event.target.blur();
    const isTyping = event.target.matches?.("input:not([type=checkbox]), select");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });

  form.addEventListener("input", () => { page = 1; keep(show()); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => turn(1)));
  pager.addEventListener("click", (event) => {
    if (event.target.dataset.step) turn(page + Number(event.target.dataset.step), true);
  });
  addEventListener("hashchange", restore);
  restore();
})();
