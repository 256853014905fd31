"use strict";
// An open page follows its run: from the server that it came from, or by reading itself from the disk again.
(() => {
  const { figures, viewsOf, draw } = nanofold;
  const button = document.getElementById("live"), every = 1000 * document.body.dataset.seconds, isServed = document.body.dataset.live === "served";
  const title = figure => figure.element.querySelector("h3").textContent;

  // What a reader chose outlives a page that is read again.
  const stored = { key: "nanofold-live " + location.pathname, get() { try { return JSON.parse(sessionStorage.getItem(this.key)); } catch { return null; } }, set(value) { try { sessionStorage.setItem(this.key, JSON.stringify(value)); } catch { /* then it begins anew */ } } };
  const isLast = view => view.at === view.frames.length - 1;
  const keep = () => stored.set({
    paused: button.getAttribute("aria-pressed") !== "true", y: scrollY,
    figures: figures.map(f => [title(f), f.view, [...f.chosen], f.views.map(view => view.over ? isLast(view) ? -1 : view.at : null)]),
  });
  const kept = stored.get();
  const at = (view, place) => { if (view.over && place != null) view.at = place < 0 ? view.frames.length - 1 : Math.min(place, view.frames.length - 1); };
  if (kept) {
    for (const [name, view, chosen, places] of kept.figures) {
      const figure = figures.find(f => title(f) === name);
      if (!figure) continue;
      figure.chosen = new Map(chosen);
      figure.views.forEach((one, i) => at(one, places[i]));
      if (view < figure.views.length && view !== figure.view) figure.choose(view);
      else if (figure.isDrawn) draw(figure);
    }
    scrollTo({ top: kept.y, behavior: "instant" });
  }

  // Nobody is interrupted: the page waits while something on it is being used.
  let used = 0;
  for (const name of ["pointerdown", "keydown", "wheel", "touchmove"]) addEventListener(name, () => { used = Date.now(); }, { passive: true });
  const isBusy = () => document.hidden || Date.now() - used < 4000;
  const follows = () => button.getAttribute("aria-pressed") === "true";
  const again = () => { keep(); location.reload(); };
  button.setAttribute("aria-pressed", String(!kept?.paused));
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(!follows()));
    keep();
  });

  const idOf = element => element.id + " " + element.querySelector("h3").textContent;
  const take = page => {
    const news = [...page.querySelectorAll("figure.chart")];
    if (news.map(idOf).join("\n") !== figures.map(f => idOf(f.element)).join("\n")) return again();
    figures.forEach((figure, i) => {
      const text = news[i].querySelector("script").textContent, own = figure.element.querySelector("script");
      if (text === own.textContent) return;
      own.textContent = text;
      const before = figure.views;
      figure.views = viewsOf(news[i]);
      figure.views.forEach((view, j) => at(view, before[j]?.over ? isLast(before[j]) ? -1 : before[j].at : null));
      figure.view = Math.min(figure.view, figure.views.length - 1);
      const captions = [figure.element, news[i]].map(element => element.querySelector("figcaption"));
      if (captions[0] && captions[1]) captions[0].innerHTML = captions[1].innerHTML;
      if (figure.isDrawn) draw(figure);
    });
    for (const selector of [".facts", ".lead"]) {
      const [own, other] = [document, page].map(where => where.querySelector(selector));
      if (own && other) own.innerHTML = other.innerHTML;
    }
    for (const table of page.querySelectorAll("table")) {
      const own = document.getElementById(table.id)?.tBodies[0];
      if (own && own.innerHTML !== table.tBodies[0].innerHTML) own.innerHTML = table.tBodies[0].innerHTML;
    }
  };

  let version = null;
  const look = async () => {
    try {
      const response = await fetch("/version"), now = response.ok ? await response.text() : version;
      if (version !== null && now !== version) {
        const page = await fetch("/page");
        if (page.ok) take(new DOMParser().parseFromString(await page.text(), "text/html"));
      }
      version = now;
      button.textContent = "live";
    } catch {
      button.textContent = "not served any more";
    }
  };
  const next = async () => {
    if (follows() && !isBusy()) await (isServed ? look() : again());
    setTimeout(next, isServed || !isBusy() ? every : 1000);
  };
  if (isServed) look();
  setTimeout(next, every);
})();
