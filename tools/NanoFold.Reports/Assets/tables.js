"use strict";
(() => {
  // A click on a heading sorts.
  const none = cell => !cell.dataset.v && /^[–—-]?$/.test(cell.textContent.trim());
  document.querySelectorAll("table").forEach(table => {
    const headings = [...table.querySelectorAll("thead th")];
    headings.forEach((heading, column) => heading.querySelector("button").addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach(other => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const cellOf = row => row.cells[column], sign = descending ? -1 : 1;
      const rows = [...table.tBodies[0].rows].sort((p, q) => {
        const a = cellOf(p), b = cellOf(q);
        // What is missing stays last.
        if (none(a) || none(b)) return none(a) - none(b);
        return sign * (a.dataset.v && b.dataset.v ? a.dataset.v - b.dataset.v : a.textContent.localeCompare(b.textContent, "en", { numeric: true }));
      });
      table.tBodies[0].append(...rows);
    }));
  });

  // Of long tables the first rows are shown: fewer on a phone.
  document.querySelectorAll("figure.table table").forEach(table => {
    const count = table.tBodies[0].rows.length, more = document.createElement("button");
    if (count <= 8) return;
    const cut = isCut => {
      table.classList.toggle("cut", isCut);
      more.textContent = isCut ? `show all ${count} rows` : "show fewer";
      more.setAttribute("aria-expanded", String(!isCut));
    };
    more.type = "button";
    more.className = count > 16 ? "more" : "more narrow";
    more.setAttribute("aria-controls", table.id);
    more.addEventListener("click", () => cut(!table.classList.contains("cut")));
    cut(true);
    table.closest(".scroll").after(more);
  });

  // Where one is in the list of contents.
  const links = new Map([...document.querySelectorAll("nav a")].map(a => [a.getAttribute("href").slice(1), a]));
  const seen = new IntersectionObserver(entries => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        links.forEach(link => link.classList.remove("here"));
        links.get(entry.target.id)?.classList.add("here");
      }
    }
  }, { rootMargin: "-10% 0px -75% 0px" });
  document.querySelectorAll("section").forEach(section => seen.observe(section));
})();
