"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const wide = () => Math.min(1100, document.body.clientWidth - 24);
  const ink = "var(--ink)", accent = "var(--accent)", second = "var(--second)";

  // Long names are cut at the left, where those of one suite are alike.
  const fitted = (name, most) => name.length > most ? "…" + name.slice(1 - most) : name;

  const drawn = {
    forest(rows) {
      const most = wide() < 600 ? 22 : 44;
      const names = new Map(rows.map((row) => [row.task, fitted(row.task, most)]));
      const published = rows.flatMap((row) => row.published.map((each) => ({ ...each, task: row.task })));
      return Plot.plot({
        width: wide(), marginLeft: 16 + most * 6.2, height: 60 + 20 * rows.length,
        x: { domain: [0, 100], label: "success in % →", grid: true },
        y: { domain: rows.map((row) => row.task), label: null, tickFormat: (name) => names.get(name) },
        marks: [
          Plot.ruleY(rows.filter((row) => row.low !== null && row.high !== null),
            { y: "task", x1: "low", x2: "high", stroke: accent, strokeWidth: 2 }),
          Plot.tickX(rows.filter((row) => row.floor !== null),
            { y: "task", x: "floor", stroke: "var(--floor)", strokeWidth: 2,
              title: (row) => `floor: ${row.floor_agent} ${row.floor} %` }),
          Plot.dot(published, { y: "task", x: "value", symbol: "diamond", r: 4, stroke: second,
            fill: (each) => each.same ? second : "none",
            title: (each) => `${each.label}: ${each.value} %` }),
          Plot.dot(rows, { y: "task", x: "rate", fill: accent, r: 4,
            title: (row) => `${row.task}: ${row.rate} %, n ${row.n}` }),
        ],
      });
    },
    robustness(points) {
      const ends = points.filter((each) => each.severity > 0);
      return Plot.plot({
        width: wide(), marginLeft: 44, marginRight: 16,
        x: { label: "severity →", ticks: [0, 1, 2, 3, 4, 5], tickFormat: "d", domain: [0, 5] },
        y: { domain: [0, 100], label: "↑ success in %", grid: true },
        marks: [
          Plot.areaY(ends.filter((each) => each.low !== null && each.high !== null),
            { x: "severity", y1: "low", y2: "high", z: "perturbation", fill: "perturbation", fillOpacity: 0.12 }),
          Plot.lineY(points, { x: "severity", y: "rate", z: "perturbation", stroke: "perturbation",
            sort: "severity", marker: "dot" }),
          Plot.tip(points, Plot.pointer({ x: "severity", y: "rate",
            title: (each) => `${each.perturbation}:${each.severity}  ${each.rate} %`, fill: "var(--panel)" })),
        ],
        color: { legend: true, scheme: "observable10" },
      });
    },
    profile(points) {
      return Plot.plot({
        width: Math.min(700, wide()), marginLeft: 44,
        x: { label: "normalised score →", grid: true },
        y: { domain: [0, 100], label: "↑ episodes above it, in %", grid: true },
        marks: [Plot.ruleX([0, 1], { stroke: "var(--floor)", strokeDasharray: "3,3" }),
          Plot.lineY(points, { x: "score", y: "share", stroke: accent, curve: "step-after" })],
      });
    },
    tokens(points) {
      const kinds = ["succeeded", "failed", "no success rule"]
        .filter((kind) => points.some((each) => each.ended === kind));
      const height = 110;
      return Plot.plot({
        width: Math.min(900, wide()), marginLeft: 16, height: 60 + height * kinds.length,
        x: { label: "tokens of an episode →", grid: true, nice: true, tickFormat: "~s" },
        fy: { domain: kinds, label: null }, marginRight: 96,
        color: { domain: kinds, range: [accent, second, "var(--floor)"] },
        marks: [Plot.dot(points, Plot.dodgeY({ x: "tokens", fy: "ended", r: points.length > 400 ? 1.5 : 3,
          fill: "ended", title: (each) => `${each.task}: ${each.tokens} tokens, ${each.ended}` }))],
      });
    },
    answers(rows) {
      const most = wide() < 600 ? 22 : 44;
      return Plot.plot({
        width: Math.min(900, wide()), marginLeft: 16 + most * 6.2, height: 60 + 20 * rows.length,
        x: { label: "seconds of an answer →", grid: true, zero: true },
        y: { domain: rows.map((row) => row.task), label: null, tickFormat: (name) => fitted(name, most) },
        marks: [
          Plot.ruleY(rows, { y: "task", x1: "p5", x2: "p95", stroke: accent, strokeWidth: 2 }),
          Plot.dot(rows, { y: "task", x: "p50", fill: accent, r: 4,
            title: (row) => `${row.task}: median ${row.p50.toPrecision(3)} s, n ${row.n}` }),
        ],
      });
    },
    time(rows) {
      const suites = [...new Set(rows.map((row) => row.suite))];
      return Plot.plot({
        width: Math.min(800, wide()), marginLeft: 130, height: 60 + 24 * suites.length,
        x: { label: "seconds →", grid: true }, y: { label: null, domain: suites },
        color: { domain: ["simulator", "agent"], range: [accent, second], legend: true },
        marks: [Plot.barX(rows, { x: "seconds", y: "suite", fill: "what",
          title: (row) => `${row.suite}, ${row.what}: ${row.seconds} s` }), Plot.ruleX([0])],
      });
    },
  };

  const draw = () => {
    for (const figure of document.querySelectorAll("figure[data-plot]")) {
      const plot = drawn[figure.dataset.plot](data[figure.dataset.plot]);
      figure.replaceChildren(plot);
      for (const svg of figure.querySelectorAll("svg")) {
        // One picture with one name: its parts have names that say nothing.
        for (const part of svg.querySelectorAll("[aria-label], [aria-description]")) {
          part.removeAttribute("aria-label");
          part.removeAttribute("aria-description");
        }
        svg.setAttribute("role", "img");
        svg.setAttribute("aria-label", figure.getAttribute("aria-label"));
      }
    }
  };
  draw();
  let width = wide();
  addEventListener("resize", () => {
    if (wide() !== width) { width = wide(); draw(); }
  });

  for (const table of document.querySelectorAll("table.figures")) {
    const title = table.closest("section").querySelector("h2").textContent;
    new DataTable(table, {
      paging: false, info: false, order: [], autoWidth: false,
      searching: table.classList.contains("long"),
      language: { search: `Filter ${title}:` },
    });
  }
})();
