"use strict";
// Light or dark, and the colors of figures in either.
const palette = (() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  // A file's page may have no storage.
  const stored = {
    get: () => { try { return localStorage.getItem("nanofold-theme"); } catch { return null; } },
    set: value => { try { localStorage.setItem("nanofold-theme", value); } catch { /* asked again next time */ } },
  };

  // Colors: "@3" is a series, "@q0.4" a place between first and last, "@soft" a name; "/0.2" after it makes it clear. Names and labels are no colors, whatever they look like.
  const scales = {
    light: ["#3b2a80", "#3464d4", "#0a8ea6", "#3aa55f", "#a98412", "#e06a12"],
    dark: ["#8f7bff", "#79a3ff", "#4cc9d8", "#6fd99a", "#e6d35a", "#ffa25a"],
  };
  const cells = {
    light: ["#f4f6fb", "#bcd3f2", "#6ea3de", "#2f6bbf", "#123a78"],
    dark: ["#161c27", "#1f3a63", "#2f68b0", "#5fa3ea", "#c4e2ff"],
  };
  const theme = () => root.dataset.theme;
  const css = name => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const channels = hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
  const mix = (scale, share) => {
    const place = Math.min(Math.max(share, 0), 1) * (scale.length - 1), at = Math.min(Math.floor(place), scale.length - 2);
    const low = channels(scale[at]), high = channels(scale[at + 1]);
    return low.map((c, i) => Math.round(c + (high[i] - c) * (place - at)));
  };
  const color = token => {
    const [name, alpha] = token.slice(1).split("/");
    const rgb = name[0] === "q" ? mix(scales[theme()], +name.slice(1)) : channels(css(/^\d/.test(name) ? "s" + name : name));
    return `rgba(${rgb.join(",")},${alpha ?? 1})`;
  };
  const resolve = (value, key) =>
    Array.isArray(value) ? value.map(inner => resolve(inner, key))
      : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, resolve(inner, name)]))
        : !/^(fill)?color(scale)?$/.test(key) ? value : value === "@scale" ? cells[theme()].map((c, i, all) => [i / (all.length - 1), c])
          : typeof value === "string" && /^@(\d+|q[\d.]+|ink|soft|accent)(\/[\d.]+)?$/.test(value) ? color(value)
            : value;

  const choose = choice => {
    root.dataset.theme = choice === "light" || choice === "dark" ? choice : system.matches ? "dark" : "light";
    const button = document.getElementById("theme");
    button.textContent = choice ?? "auto";
    button.setAttribute("aria-label", `Colors: ${choice ?? "as the system"}`);
    document.dispatchEvent(new Event("themed"));
  };
  let choice = stored.get();
  choice = choice === "light" || choice === "dark" ? choice : null;
  choose(choice);
  document.getElementById("theme").addEventListener("click", () => {
    choice = { null: "light", light: "dark", dark: null }[choice];
    stored.set(choice ?? "");
    choose(choice);
  });
  system.addEventListener("change", () => choose(choice));
  return { css, color, resolve };
})();
