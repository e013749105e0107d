"use strict";
for (const table of document.querySelectorAll("table.figures")) {
  const heading = table.closest("section").querySelector("h2, h3").textContent;
  new DataTable(table, {
    paging: false, info: false, order: [], autoWidth: false,
    searching: table.classList.contains("long"),
    language: { search: `Filter ${table.dataset.title ?? heading}:` },
  });
}
