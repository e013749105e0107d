"use strict";
// One scrubber for what several runs did in a case: their videos and the list of their actions.
(() => {
  const HZ = 5; // steps in a second where there is no video to follow

  // A frame stands for a step, from 0 on; the last one stays for a second more.
  const still = (video) => video.duration > 1 ? 1 : video.duration / 2;
  const known = (video) => video.readyState > 0 && Number.isFinite(video.duration);
  const steps = (video) => Number(video.dataset.steps);
  const timeOf = (video, step) => step >= steps(video)
    ? video.duration - still(video) / 2
    : (step + 0.5) * (video.duration - still(video)) / (steps(video) + 1);
  const stepOf = (video) => Math.min(steps(video),
    Math.floor(video.currentTime * (steps(video) + 1) / (video.duration - still(video))));

  for (const item of document.querySelectorAll("details.case")) {
    const player = item.querySelector(".player");
    const videos = [...item.querySelectorAll("video")];
    const list = item.querySelector(".steps");
    const [range, said] = [player.querySelector("input"), player.querySelector("output")];
    const [back, play, forward, first] = ["back", "play", "forward", "first"]
      .map((name) => player.querySelector(`.${name}`));
    const last = Number(range.max);
    let playing = false, begun = 0, from = 0;

    const say = (step) => {
      range.value = step;
      range.setAttribute("aria-valuetext", `step ${step} of ${last}`);
      said.textContent = `step ${step} of ${last}`;
      if (list === null) return;
      list.querySelector(".now")?.classList.remove("now");
      const row = list.querySelector(`tr[data-step="${step}"]`);
      if (row === null) return;
      row.classList.add("now");
      const [seen, whole] = [row.getBoundingClientRect(), list.getBoundingClientRect()];
      if (seen.top < whole.top + 40 || seen.bottom > whole.bottom)
        list.scrollTop += seen.top - whole.top - whole.height / 2;
    };
    const seek = (video, step) => { if (known(video)) video.currentTime = timeOf(video, step); };
    const show = (step) => {
      const at = Math.max(0, Math.min(last, step));
      say(at);
      for (const video of videos) seek(video, at);
    };
    const stop = () => {
      playing = false;
      play.textContent = "Play";
      for (const video of videos) video.pause();
      show(Number(range.value));
    };
    const follow = (now) => {
      if (!playing) return;
      const moving = videos.filter((video) => known(video) && !video.ended);
      const step = videos.some(known)
        ? Math.max(Number(range.value), ...moving.map(stepOf))
        : Math.min(last, from + Math.floor((now - begun) * HZ / 1000));
      say(step);
      if (step >= last || (videos.some(known) && moving.length === 0)) stop();
      else requestAnimationFrame(follow);
    };
    const start = () => {
      if (Number(range.value) >= last) show(0);
      [playing, begun, from] = [true, performance.now(), Number(range.value)];
      play.textContent = "Pause";
      for (const video of videos)
        if (steps(video) > from) video.play().catch((fault) => {
          // A pause in between aborts it, which is no fault.
          if (fault.name !== "AbortError") said.textContent = `a video cannot be played: ${fault.message}`;
        });
      requestAnimationFrame(follow);
    };

    player.hidden = false;
    for (const video of videos) {
      video.controls = false;
      video.muted = true;
      video.addEventListener("loadedmetadata", () => seek(video, Number(range.value)));
    }
    const load = () => {
      for (const video of videos)
        if (video.preload !== "auto") { video.preload = "auto"; video.load(); }
    };
    if (item.open) load();
    item.addEventListener("toggle", () => { if (item.open) load(); else if (playing) stop(); });
    range.addEventListener("input", () => {
      const step = Number(range.value);
      if (playing) stop();
      show(step);
    });
    play.addEventListener("click", () => playing ? stop() : start());
    back.addEventListener("click", () => { if (playing) stop(); show(Number(range.value) - 1); });
    forward.addEventListener("click", () => { if (playing) stop(); show(Number(range.value) + 1); });
    first?.addEventListener("click", () => { if (playing) stop(); show(Number(first.dataset.step)); });
    range.addEventListener("keydown", (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      play.click();
    });
    say(0);
  }
})();
