"use strict";
(() => {
  const { css, color, resolve } = palette;
  const isTouched = matchMedia("(pointer: coarse)").matches;
  const isNarrow = () => innerWidth < 640;

  // Texts of charts are entities, for plotly.js reads them as HTML.
  const plain = text => typeof text === "string" ? text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&") : text;

  // Figures.
  // A view under a slider is the chart that the slider is at; its axes are the same in all.
  const viewsOf = element => JSON.parse(element.querySelector("script").textContent).map(view => view.over
    ? { ...view, at: view.start, get data() { return this.frames[this.at].view.data; }, get layout() { return this.frames[this.at].view.layout; } } : view);
  const figures = [...document.querySelectorAll("figure.chart")].map(element => ({
    element, plot: element.querySelector(".plot"), legend: element.querySelector(".legend"), views: viewsOf(element), view: 0, isDrawn: false,
    // What a reader has hidden or shown, in all views.
    chosen: new Map(),
  }));

  // What the legend lists: series, or groups of them, by the first that says its name.
  const entriesOf = view => {
    const named = new Set();
    return view.data.filter(t => (t.type === "scatter" || t.type === "scatter3d") && t.showlegend !== false && !named.has(t.legendgroup) && named.add(t.legendgroup));
  };
  const isShown = (figure, { legendgroup: group }) =>
    figure.chosen.get(group) ?? !figure.views[figure.view].data.some(t => t.legendgroup === group && t.visible === "legendonly");

  const layoutOf = (figure, view) => {
    const narrow = isNarrow(), height = Math.round(+figure.plot.dataset.height * (narrow ? 0.82 : 1));
    figure.plot.style.height = height + "px";
    const axis = {
      color: css("soft"), gridcolor: css("grid"), zerolinecolor: css("line"), linecolor: css("line"), automargin: true, ticks: "outside", ticklen: 4, tickcolor: css("line"),
      tickfont: { size: narrow ? 11 : 12 },
    };
    const titled = given => ({ ...axis, ...given, title: { ...given.title, standoff: 8, font: { size: narrow ? 12 : 13 } } });
    // Marks of a logarithmic axis that is less than from 2 to 5: the digits of decades would be one or two.
    const even = (least, most, count) => {
      const rough = (most - least) / count, power = 10 ** Math.floor(Math.log10(rough)), step = power * [1, 2, 5, 10].find(s => s * power >= rough);
      const first = Math.floor(least / step), last = Math.ceil(most / step);
      return most > least ? { tickvals: Array.from({ length: last - first + 1 }, (_, i) => +((first + i) * step).toPrecision(12)), tickformat: most < 1000 ? ".4~g" : ".3~s" } : {};
    };
    const steps = (given, x) => {
      if (given.type !== "log") return { exponentformat: "SI", ...given };
      const places = given.range?.map(v => 10 ** v) ?? view.data.flatMap(t => (x ? t.x : t.y) ?? []).filter(v => v > 0), most = Math.max(...places), least = Math.min(...places), decades = Math.log10(most / least);
      return given.tickvals ? given : decades < 0.4 ? { ...even(least, most, narrow ? 4 : 7), ...given } : { dtick: decades < 0.8 ? "D1" : decades < 3 ? "D2" : 1, tickformat: most < 1000 ? ".3~g" : "~s", ...given };
    };
    // Names of categories that are too many are left out evenly.
    const sparse = (given, room) => {
      const step = Math.ceil((given.zeroline === false ? given.tickvals.length : 0) / room);
      return step > 1 ? { ...given, tickvals: given.tickvals.filter((_, i) => i % step === 0), ticktext: given.ticktext.filter((_, i) => i % step === 0) } : given;
    };
    const inSpace = given => ({ ...given, color: css("soft"), gridcolor: css("line"), zerolinecolor: css("line"), linecolor: css("line"), showbackground: false, showspikes: false, nticks: 5, title: { ...given.title, font: { size: 12 } }, tickfont: { size: 10 } });
    const { scene } = view.layout;
    return {
      ...view.layout,
      ...(scene ? { scene: { xaxis: inSpace(scene.xaxis), yaxis: inSpace(scene.yaxis), zaxis: inSpace(scene.zaxis), aspectmode: "cube", camera: { eye: { x: 1.35, y: 1.35, z: 0.9 } } } } : {}),
      uirevision: `${figure.view}`,
      height, margin: { l: 12, r: 14, t: 12, b: 12 },
      xaxis: { nticks: narrow ? 5 : 9, ...titled(sparse(steps(view.layout.xaxis, true), figure.plot.clientWidth / 34)) },
      yaxis: titled(sparse(steps(view.layout.yaxis, false), height / 17)),
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: css("sans"), size: 12.5, color: css("ink") },
      hoverlabel: { bgcolor: css("card"), bordercolor: css("line"), font: { family: css("sans"), size: 12.5, color: css("ink") }, namelength: -1 },
      showlegend: false,
      // A finger scrolls the page.
      dragmode: scene ? "orbit" : isTouched ? false : view.layout.dragmode ?? "zoom",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: css("soft"), activecolor: css("accent") },
    };
  };

  // A legend of buttons: it scrolls where it is long, and is reached with the keyboard.
  const dashes = { dash: "5 3", dot: "2 2", dashdot: "5 2 1 2", longdash: "9 3" };
  const shapes = { circle: "M7.6 5a3.4 3.4 0 1 0 6.8 0 3.4 3.4 0 1 0-6.8 0", square: "M8 2h6v6h-6z", diamond: "M11 1l4 4-4 4-4-4z", "triangle-up": "M11 1.4l4 7h-8z", x: "M8 3.2L9.2 2 11 3.8 12.8 2 14 3.2 12.2 5 14 6.8 12.8 8 11 6.2 9.2 8 8 6.8 9.8 5z" };
  const swatch = trace => {
    const stroke = color(trace.line?.color ?? trace.marker.color), fill = color(trace.marker?.color ?? trace.line.color), mode = trace.mode ?? "", isRing = trace.marker?.line;
    return (mode.includes("lines") ? `<path d="M0 5h22" stroke="${stroke}" stroke-width="2" stroke-dasharray="${dashes[trace.line.dash] ?? "none"}"/>` : "")
      + (mode.includes("markers") ? `<path d="${shapes[trace.marker.symbol] ?? shapes.circle}" fill="${fill}"${isRing ? ` stroke="${color(isRing.color)}" stroke-width="1.6"` : ""}/>` : "");
  };
  const drawLegend = (figure, entries) => {
    const buttons = entries.length < 2 ? [] : entries.map(trace => {
      const button = document.createElement("button");
      button.type = "button";
      button.innerHTML = `<svg width="22" height="10" aria-hidden="true">${swatch(trace)}</svg>`;
      button.append(plain(trace.name));
      button.setAttribute("aria-pressed", String(isShown(figure, trace)));
      button.addEventListener("click", event => show(figure, trace, event.detail > 1 || event.shiftKey));
      return button;
    });
    figure.legend.replaceChildren(...buttons);
  };

  // A slider over checkpoints, layers or heads: moved with the mouse, a finger or the arrow keys.
  const drawSlider = figure => {
    const view = figure.views[figure.view];
    figure.slider?.remove();
    figure.slider = null;
    if (!view.over) return;
    const label = document.createElement("label"), input = document.createElement("input"), output = document.createElement("output");
    label.className = "slider";
    [input.type, input.min, input.max, input.value] = ["range", 0, view.frames.length - 1, view.at];
    const say = () => {
      output.textContent = view.frames[view.at].name;
      input.setAttribute("aria-valuetext", `${view.over} ${output.textContent}, ${view.at + 1} of ${view.frames.length}`);
    };
    input.addEventListener("input", () => {
      view.at = +input.value;
      say();
      plotOf(figure);
    });
    say();
    label.append(view.over, ...(view.frames.length > 1 ? [input] : []), output);
    figure.plot.before(label);
    figure.slider = label;
  };

  // A series is hidden or shown; or shown alone, and all of them where it was alone already.
  const show = (figure, trace, isAlone) => {
    const view = figure.views[figure.view], entries = entriesOf(view), others = entries.filter(t => t !== trace);
    const wasAlone = figure.alone === trace.legendgroup && others.every(t => !isShown(figure, t));
    if (isAlone) {
      others.forEach(t => figure.chosen.set(t.legendgroup, wasAlone));
      figure.alone = wasAlone ? null : trace.legendgroup;
    }
    figure.chosen.set(trace.legendgroup, isAlone || !isShown(figure, trace));
    [...figure.legend.children].forEach((button, i) => button.setAttribute("aria-pressed", String(isShown(figure, entries[i]))));
    Plotly.restyle(figure.plot, { visible: view.data.map(t => isShown(figure, t) || "legendonly") });
  };

  // On a phone a map has its values or its scale.
  const cellsOf = ({ texttemplate, z, colorbar }) => {
    const isWritten = texttemplate && (!isNarrow() || z[0].length <= 4);
    return {
      texttemplate: isWritten ? texttemplate : "", showscale: !(isNarrow() && isWritten),
      colorbar: { ...colorbar, title: { ...colorbar.title, font: { size: 12.5 } }, tickfont: { size: 11 } },
    };
  };

  const draw = figure => {
    figure.isDrawn = true;
    drawSlider(figure);
    plotOf(figure);
  };

  const plotOf = figure => {
    const view = figure.views[figure.view];
    // On a phone names of points would cover each other, and values of cells; the legend and the data have them.
    const data = view.data.map(t => ({
      ...t, visible: isShown(figure, t) || "legendonly", ...(isNarrow() && t.mode === "markers+text" && t.showlegend !== false ? { mode: "markers" } : {}),
      ...(t.type === "heatmap" ? cellsOf(t) : {}),
    }));
    const { title: { text: x } } = view.layout.xaxis, { title: { text: y } } = view.layout.yaxis, map = view.data.find(t => t.type === "heatmap"), entries = entriesOf(view);
    figure.plot.setAttribute("aria-label", plain(`${figure.element.querySelector("h3").textContent}: ${map ? `${map.colorbar.title.text} by ${y} and ` : y ? `${y} against ` : ""}${x}${entries.length > 1 ? `; ${entries.map(t => t.name).join(", ")}` : ""}. All values are in the data as CSV.`));
    drawLegend(figure, entries);
    Plotly.react(figure.plot, resolve(data), layoutOf(figure, view), {
      responsive: true, displaylogo: false, scrollZoom: view.layout.dragmode === "pan" && !isTouched ? "gl3d" : false, ...(isTouched ? { displayModeBar: false } : {}), modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
      toImageButtonOptions: { format: "png", scale: 2, filename: nameOf(figure) },
    }).then(() => {
      if (figure.isWatched) return;
      figure.isWatched = true;
      figure.plot.on("plotly_afterplot", () => placeTools(figure));
      placeTools(figure);
    });
  };

  // plotly's buttons stand inside the axes: above them is the legend.
  const placeTools = ({ plot }) => {
    const tools = plot.querySelector(".modebar-container"), size = plot._fullLayout?._size;
    if (tools && size) [tools.style.top, tools.style.right] = [size.t + "px", size.r + "px"];
  };

  const nameOf = figure => figure.element.querySelector("h3").textContent.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");

  // Text of the data of a figure's view, one line a point.
  const csv = figure => {
    const view = figure.views[figure.view], quote = v => v == null ? "" : /[",\n]/.test(v) ? `"${String(v).replaceAll('"', '""')}"` : String(v);
    const [x, y] = ["xaxis", "yaxis"].map(name => view.layout[name]), named = (axis, v) => axis.zeroline === false ? axis.ticktext?.[axis.tickvals.indexOf(v)] ?? v : v;
    const lines = [];
    for (const trace of view.data) {
      if (trace.type === "heatmap") {
        lines.push([x.title.text, y.title.text, trace.colorbar.title.text]);
        trace.z.forEach((row, j) => row.forEach((z, i) => lines.push([named(x, trace.x?.[i] ?? i), named(y, j), z])));
      } else if (trace.hoverinfo !== "skip") {
        const z = view.layout.scene?.zaxis;
        if (!lines.length) lines.push(["series", x.title.text, y.title.text, ...(z ? [z.title.text] : []), "low", "high", "label"]);
        trace.x.forEach((at, i) => {
          const error = trace.error_y ?? trace.error_x, value = trace.error_x ? at : trace.y[i];
          const low = trace.meta?.low?.[i] ?? (error?.arrayminus[i] == null ? null : value - error.arrayminus[i]);
          const high = trace.meta?.high?.[i] ?? (error?.array[i] == null ? null : value + error.array[i]);
          if (at != null || trace.y[i] != null) lines.push([trace.name, named(x, at), named(y, trace.y[i]), ...(z ? [trace.z[i]] : []), low, high, trace.text?.[i]]);
        });
      }
    }
    return lines.map(line => line.map(v => quote(plain(v))).join(",")).join("\n") + "\n";
  };

  for (const figure of figures) {
    const tabs = figure.element.querySelectorAll(".tabs button");
    figure.choose = at => {
      tabs.forEach((other, i) => other.setAttribute("aria-pressed", String(i === at)));
      figure.view = at;
      if (figure.isDrawn) draw(figure);
    };
    tabs.forEach((button, at) => button.addEventListener("click", () => {
      figure.isDrawn = true;
      figure.choose(at);
    }));
    figure.element.querySelector(".csv").addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([csv(figure)], { type: "text/csv" }));
      link.download = nameOf(figure) + ".csv";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }

  // Drawn when they come near the screen: the page is there at once.
  const near = new IntersectionObserver(entries => {
    for (const entry of entries) {
      const figure = figures.find(f => f.plot === entry.target);
      if (entry.isIntersecting && !figure.isDrawn) draw(figure);
    }
  }, { rootMargin: "500px 0px" });
  const redraw = () => figures.filter(f => f.isDrawn).forEach(draw);

  document.addEventListener("themed", redraw);
  let wasNarrow = isNarrow();
  addEventListener("resize", () => { if (isNarrow() !== wasNarrow) { wasNarrow = isNarrow(); redraw(); } });
  addEventListener("beforeprint", () => figures.filter(f => !f.isDrawn).forEach(draw));
  figures.forEach(figure => near.observe(figure.plot));

  window.nanofold = { figures, csv, viewsOf, draw, drawAll: () => figures.forEach(draw) };
})();
