"use strict";
// What the pages of runs and those of the board do alike with their pictures and tables.
const Figures = (() => {
  const wide = () => Math.max(240, Math.min(1100, document.body.clientWidth - 24));

  const drawAll = (drawn, data) => {
    for (const figure of document.querySelectorAll("figure[data-plot]")) {
      const draws = drawn[figure.dataset.draws ?? figure.dataset.plot];
      figure.replaceChildren(draws(data[figure.dataset.plot], figure));
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

  // Draw each figure with the function of its name, and again whenever the width changes.
  const draw = (drawn, data) => {
    drawAll(drawn, data);
    let width = wide();
    addEventListener("resize", () => {
      if (wide() !== width) { width = wide(); drawAll(drawn, data); }
    });
  };

  // Every table can be sorted, and long ones can be filtered.
  const sortTables = () => {
    for (const table of document.querySelectorAll("table.figures")) {
      const heading = table.closest("section").querySelector("h2, h3").textContent;
      new DataTable(table, {
        paging: false, info: false, order: [], autoWidth: false,
        searching: table.classList.contains("long"),
        language: { search: `Filter ${table.dataset.title ?? heading}:` },
      });
    }
  };

  return { wide, draw, sortTables };
})();
