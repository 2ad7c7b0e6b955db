
"use strict";
// One time for the whole page: pointing at a plot, its keys, a time that is clicked, or the running video sets it; every
// plot shows it as a line and tells what is likeliest then. Without script, the page is complete but for that.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const video = document.querySelector("#player video");
  const scrubs = [...document.querySelectorAll(".scrub")];
  const root = document.documentElement;
  root.classList.add("scripted");
  root.classList.toggle("seeks", Boolean(video));
  root.classList.toggle("playing", Boolean(video));

  function clock(seconds) {
    const hundredths = Math.round(100 * seconds), hours = Math.floor(hundredths / 360000);
    const minutes = Math.floor(hundredths / 6000) % 60, rest = (hundredths % 6000) / 100;
    const tail = (rest < 10 ? "0" : "") + String(rest);
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
  }
  const range = (scrub) => [Number(scrub.getAttribute("aria-valuemin")), Number(scrub.getAttribute("aria-valuemax"))];

  function reading(scrub, time) {
    const plot = data.plots[scrub.id];
    if (!plot) return clock(time);
    const [from] = range(scrub);
    const bin = plot.bins[Math.min(Math.floor((time - from) / plot.bin_s + 1e-6), plot.bins.length - 1)];
    if (!bin.length) return `${clock(time)}: out of sight`;
    const told = [];
    for (let i = 0; i < bin.length; i += 2) if (bin[i + 1] > 0) told.push(`${data.words[bin[i]]} ${bin[i + 1]} %`);
    return `${clock(time)}: ${told.join(", ")}`;
  }

  function show(time) {
    for (const scrub of scrubs) {
      const [from, to] = range(scrub), cursor = scrub.firstElementChild;
      cursor.hidden = time < from || time > to;
      const output = document.querySelector(`output[for="${CSS.escape(scrub.id)}"]`);
      if (cursor.hidden) {
        if (output) output.textContent = "";
        continue;
      }
      cursor.style.left = `${(100 * (time - from)) / (to - from)}%`;
      const text = reading(scrub, time);
      scrub.setAttribute("aria-valuenow", time.toFixed(2));
      scrub.setAttribute("aria-valuetext", text);
      if (output) output.textContent = text;
    }
  }
  function go(time) {
    if (video) video.currentTime = time;
    show(time);
  }

  for (const scrub of scrubs) {
    const [from, to] = range(scrub), step = Number(scrub.dataset.step);
    const timeAt = (event) => {
      const box = scrub.getBoundingClientRect();
      return from + (to - from) * Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    };
    scrub.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) go(timeAt(event));
      else if (!video || video.paused) show(timeAt(event));
    });
    scrub.addEventListener("pointerleave", () => { if (video) show(video.currentTime); });
    scrub.addEventListener("click", (event) => go(timeAt(event)));
    scrub.addEventListener("keydown", (event) => {
      const now = Number(scrub.getAttribute("aria-valuenow")), page = Math.max(10 * step, (to - from) / 20);
      const moves = {
        ArrowRight: now + step, ArrowUp: now + step, ArrowLeft: now - step, ArrowDown: now - step,
        PageUp: now + page, PageDown: now - page, Home: from, End: to,
      };
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in moves)) return;
      event.preventDefault();
      go(Math.min(Math.max(moves[event.key], from), to));
    });
  }
  document.addEventListener("click", (event) => {
    if (event.target.matches(".time")) go(Number(event.target.dataset.time));
  });
  if (video) {
    video.addEventListener("timeupdate", () => show(video.currentTime));
    video.addEventListener("error", () => {
      video.closest("section").replaceChildren("annotated.mp4 does not lie beside this page, or cannot be played here.");
      root.classList.remove("seeks", "playing");
    });
  }
})();
