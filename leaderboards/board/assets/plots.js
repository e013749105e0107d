"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const wide = Figures.wide;
  const accent = "var(--accent)", second = "var(--second)", grey = "var(--floor)";
  const colour = { ranked: accent, privileged: second, partial: second, grey };
  const domain = data.rated ? [0, 100] : undefined;
  const fitted = (name, most) => name.length > most ? name.slice(0, most - 1) + "…" : name;

  const drawn = {
    forest(rows) {
      const most = wide() < 600 ? 20 : 44;
      const names = new Map(rows.map((row) => [row.key, fitted(row.name, most)]));
      return Plot.plot({
        width: wide(), marginLeft: 16 + most * 6.2, height: 60 + 20 * rows.length,
        x: { domain, label: `${data.unit} →`, grid: true },
        y: { domain: rows.map((row) => row.key), label: null, tickFormat: (key) => names.get(key) },
        marks: [
          Plot.ruleY(rows.filter((row) => row.low !== null),
            { y: "key", x1: "low", x2: "high", stroke: (row) => colour[row.kind], strokeWidth: 2 }),
          Plot.dot(rows, { y: "key", x: "rate", r: 4, fill: (row) => row.kind === "ranked" ? colour.ranked : "none",
            stroke: (row) => colour[row.kind], symbol: (row) => row.kind === "grey" ? "diamond" : "circle",
            title: (row) => `${row.name}: ${row.rate}` }),
        ],
        symbol: { domain: ["circle", "diamond"], range: ["circle", "diamond"] },
      });
    },
    robustness(points) {
      return Plot.plot({
        width: wide(), marginLeft: 44, marginRight: 16,
        x: { label: "severity →", ticks: [0, 1, 2, 3, 4, 5], tickFormat: "d", domain: [0, 5] },
        y: { domain: [0, 100], label: "↑ success in %", grid: true },
        marks: [Plot.lineY(points, { x: "severity", y: "rate", z: "curve", stroke: "curve", sort: "severity",
          marker: "dot", title: (each) => `${each.curve}:${each.severity}  ${each.rate} %` })],
        color: { legend: true, scheme: "observable10" },
      });
    },
    efficiency(rows) {
      const box = document.createElement("div");
      const kinds = [["seconds", "seconds a step", "log"], ["parameters", "parameters", "log"],
        ["cost", "US $ an episode", "linear"]];
      for (const [key, label, type] of kinds) {
        const known = rows.filter((row) => row[key] !== null && (type === "linear" || row[key] > 0));
        if (new Set(known.map((row) => row[key])).size < 2) continue;
        box.append(Plot.plot({
          width: Math.min(540, wide()), height: 300, marginLeft: 44,
          x: { type, label: `${label} →`, grid: true }, y: { domain, label: `↑ ${data.unit}`, grid: true },
          marks: [Plot.dot(known, { x: key, y: "rate", fill: accent, r: 4 }),
            Plot.text(known, { x: key, y: "rate", text: (row) => fitted(row.agent, 20), dy: -9, fill: "var(--ink)" })],
        }));
      }
      return box;
    },
    history(rows) {
      const known = rows.map((row) => ({ ...row, day: new Date(row.date) }));
      return Plot.plot({
        width: Math.min(800, wide()), marginLeft: 44,
        x: { type: "utc", label: "played →" }, y: { domain, label: `↑ ${data.unit}`, grid: true },
        marks: [
          Plot.ruleX(known.filter((row) => row.low !== null), { x: "day", y1: "low", y2: "high", stroke: accent, strokeOpacity: 0.5 }),
          Plot.dot(known, { x: "day", y: "rate", fill: accent, r: 4, title: (row) => `${row.agent}: ${row.rate} (${row.date})` }),
        ],
      });
    },
  };

  Figures.draw(drawn, data);
})();
