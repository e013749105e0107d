"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const wide = Figures.wide;
  const ink = "var(--ink)", accent = "var(--accent)", second = "var(--second)";

  // Long names are cut at the left, where those of one suite are alike.
  const fitted = (name, most) => name.length > most ? "…" + name.slice(1 - most) : name;

  // The room that names take at the left of a plot: what the longest one needs.
  const room = (names) => {
    const most = Math.min(wide() < 600 ? 22 : 44, Math.max(6, ...names.map((name) => name.length)));
    return { most, marginLeft: 16 + most * 6.2 };
  };

  const drawn = {
    forest(rows) {
      const { most, marginLeft } = room(rows.map((row) => row.task));
      const names = new Map(rows.map((row) => [row.task, fitted(row.task, most)]));
      const published = rows.flatMap((row) => row.published.map((each) => ({ ...each, task: row.task })));
      return Plot.plot({
        width: wide(), marginLeft, height: 60 + 20 * rows.length,
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
    // Differences between two runs, in points of 100.
    differences({ rows, margin }) {
      const names = rows.map((row) => row.name);
      const { most, marginLeft } = room(names);
      const worst = Math.max(10, ...rows.flatMap((row) => [Math.abs(row.low), Math.abs(row.high)]));
      return Plot.plot({
        width: wide(), marginLeft, height: 60 + 20 * rows.length,
        x: { domain: [-Math.min(100, worst), Math.min(100, worst)], label: "new minus base, in points →",
          grid: true, tickFormat: "+d" },
        y: { domain: names, label: null, tickFormat: (name) => fitted(name, most) },
        marks: [
          Plot.ruleX([0], { stroke: ink }),
          Plot.ruleX(margin === null ? [] : [-margin], { stroke: "var(--floor)", strokeDasharray: "4,3" }),
          Plot.ruleY(rows, { y: "name", x1: "low", x2: "high", strokeWidth: 2,
            stroke: (row) => row.value < 0 ? second : accent }),
          Plot.dot(rows, { y: "name", x: "value", r: (row) => row.mean ? 5 : 4,
            symbol: (row) => row.mean ? "diamond" : "circle",
            fill: (row) => row.value < 0 ? second : accent,
            title: (row) => `${row.name}: ${row.value} (${row.low} to ${row.high}), n ${row.n}` }),
        ],
      });
    },
    conditions: (data) => drawn.differences(data),
    ranks(rows) {
      const { most, marginLeft } = room(rows.map((row) => row.run));
      return Plot.plot({
        width: Math.min(900, wide()), marginLeft, height: 60 + 24 * rows.length,
        x: { domain: [1, rows.length], label: "rank →", ticks: Math.min(10, rows.length - 1),
          tickFormat: "d", grid: true },
        y: { domain: rows.map((row) => row.run), label: null, tickFormat: (name) => fitted(name, most) },
        marks: [
          Plot.ruleY(rows, { y: "run", x1: "low", x2: "high", stroke: accent, strokeWidth: 6,
            strokeLinecap: "round", title: (row) => `${row.run}: rank ${row.low} to ${row.high}` }),
          Plot.dot(rows.flatMap((row) => [row.low, row.high].map((rank) => ({ run: row.run, rank }))),
            { y: "run", x: "rank", fill: accent, r: 5 }),
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
      const every = ["succeeded", "failed", "no success rule"];
      const kinds = every.filter((kind) => points.some((each) => each.ended === kind));
      return Plot.plot({
        width: Math.min(900, wide()), marginLeft: 110, height: 60 + 110 * kinds.length,
        x: { label: "tokens of an episode →", grid: true, nice: true, tickFormat: "~s" },
        fy: { domain: kinds, label: null, axis: "left" },
        color: { domain: every, range: [accent, second, "var(--floor)"] },
        marks: [Plot.dot(points, Plot.dodgeY({ x: "tokens", fy: "ended", r: points.length > 400 ? 1.5 : 3,
          fill: "ended", title: (each) => `${each.task}: ${each.tokens} tokens, ${each.ended}` }))],
      });
    },
    answers(rows) {
      const { most, marginLeft } = room(rows.map((row) => row.task));
      return Plot.plot({
        width: Math.min(900, wide()), marginLeft, height: 60 + 20 * rows.length,
        x: { label: "seconds of an answer →", grid: true, zero: true },
        y: { domain: rows.map((row) => row.task), label: null, tickFormat: (name) => fitted(name, most) },
        marks: [
          Plot.ruleY(rows, { y: "task", x1: "p5", x2: "p95", stroke: accent, strokeWidth: 2 }),
          Plot.dot(rows, { y: "task", x: "p50", fill: accent, r: 4,
            title: (row) => `${row.task}: median ${row.p50.toPrecision(3)} s, n ${row.n}` }),
        ],
      });
    },
    // A panel of a probe's figure: harness/probes/result.py, Plot.
    panel(plot, figure) {
      const across = plot.kind === "rows", count = plot.series.length;
      const width = Math.min(wide(), figure.parentElement.clientWidth);
      const points = plot.series.flatMap((series, k) => series.points.map((point) => ({
        ...point, series: series.name,
        place: point.at + (across ? 0.6 * ((k + 0.5) / count - 0.5) : 0) })));
      const bounded = points.filter((each) => each.low !== null && each.high !== null);
      const ends = points.flatMap((each) => [each.value, each.low ?? each.value, each.high ?? each.value]);
      const limits = [Math.min(...ends, plot.least ?? Infinity, ...plot.marks),
        Math.max(...ends, plot.most ?? -Infinity, ...plot.marks)];
      const values = { label: across ? `${plot.value} →` : `↑ ${plot.value}`, grid: true,
        ...(plot.logarithmic ? { type: "log", tickFormat: ".0e" } : { domain: limits, nice: true }) };
      const told = (each) => `${plot.labels[each.at] ?? each.at}, ${each.series}: ${+each.value.toPrecision(4)}`
        + (each.low !== null && each.high !== null
          ? ` (${+each.low.toPrecision(4)} to ${+each.high.toPrecision(4)})` : "");
      const series = plot.series.map((each) => each.name);
      const color = { domain: series, legend: count > 1,
        ...(count > 2 ? { scheme: "observable10" } : { range: [accent, second] }) };
      if (across) {
        // Where there is no room at the left, the name of a row stands above it.
        const { most, marginLeft } = room(plot.labels);
        const above = plot.labels.some((name) => name.length > most);
        const names = plot.labels.map((name, k) => ({ name: fitted(name, Math.floor(width / 6.5)), k }));
        return Plot.plot({ width, marginLeft: above ? 12 : marginLeft, x: values, color,
          height: 50 + names.length * ((above ? 30 : 14) + 12 * count),
          y: { domain: [above ? -0.8 : -0.5, names.length - 0.5], reverse: true, ticks: above ? [] : names.map(({ k }) => k),
            tickFormat: (k) => names[k].name, tickSize: 0, label: null },
          marks: [
            above ? Plot.text(names, { frameAnchor: "left", y: (each) => each.k - 0.36, text: "name",
              textAnchor: "start", lineAnchor: "bottom" }) : null,
            Plot.ruleX(plot.marks, { stroke: "var(--floor)" }),
            Plot.ruleY(bounded, { y: "place", x1: "low", x2: "high", stroke: "series", strokeWidth: 2 }),
            Plot.dot(points, { y: "place", x: "value", fill: "series", r: 4, title: told }),
          ] });
      }
      const ticks = plot.labels.map((_, k) => k).filter((k) => k % Math.ceil(plot.labels.length / 10) === 0);
      const varied = [...new Set(points.map((each) => each.at))];
      const places = plot.labels.length
        ? { ticks, tickFormat: (k) => fitted(plot.labels[k] ?? "", 8), domain: [-0.3, plot.labels.length - 0.7] }
        : plot.kind === "lines" && varied.length <= 10 ? { ticks: varied, tickFormat: String } : {};
      return Plot.plot({ width, marginLeft: 52, marginRight: 16, height: Math.min(320, width * 0.7 + 60), inset: 6, y: values,
        x: { label: `${plot.at} →`, ...places }, color,
        marks: [
          Plot.ruleY(plot.marks, { stroke: "var(--floor)", strokeDasharray: "4,3" }),
          plot.kind === "lines" ? [
            Plot.areaY(bounded, { x: "place", y1: "low", y2: "high", z: "series", fill: "series", fillOpacity: 0.15 }),
            Plot.lineY(points, { x: "place", y: "value", z: "series", stroke: "series" }),
          ] : null,
          // A few pixels aside, so that the intervals of several series do not hide one another.
          series.flatMap((name, k) => {
            const filter = (each) => each.series === name, dx = 3 * (k - (count - 1) / 2);
            return [
              Plot.ruleX(bounded, { x: "place", y1: "low", y2: "high", stroke: "series", filter, dx }),
              Plot.dot(points, { x: "place", y: "value", fill: "series", r: 3.5, title: told, filter, dx }),
            ];
          }),
        ] });
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

  Figures.draw(drawn, data);
  Figures.sortTables();
})();
