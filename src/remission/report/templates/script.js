(() => {
"use strict";
const root = document.documentElement, live = document.getElementById("live"), NS = "http://www.w3.org/2000/svg";
root.classList.add("js");

const themes = ["auto", "light", "dark"], themeButton = document.getElementById("theme");
const setTheme = theme => {
  if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
  themeButton.textContent = "Theme: " + theme;
  try { localStorage.setItem("remission-theme", theme); } catch { /* storage may be forbidden */ }
};
let theme = "auto";
try { theme = localStorage.getItem("remission-theme") || "auto"; } catch { /* the same */ }
if (themes.includes(theme) && theme !== "auto") setTheme(theme); else theme = "auto";
themeButton.addEventListener("click", () => setTheme(theme = themes[(themes.indexOf(theme) + 1) % 3]));

const number = v => {
  if (!Number.isFinite(v)) return "none";
  const size = Math.abs(v);
  if (v === 0 || (size >= 1e-3 && size < 1e5)) return String(+v.toPrecision(4)).replace("-", "−");
  const [m, e] = v.toExponential(2).split("e");
  const power = "10" + String(+e).replace(/./g, c => c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]);
  return (+m === 1 ? power : +m + "×" + power).replace("-", "−");
};
const parse = text => {
  const rows = [[]];
  for (const [, quoted, bare, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    rows.at(-1).push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
    if (end === "\n") rows.push([]);
    if (end === "") break;
  }
  return rows.filter(row => row.length > 1 || row[0]);
};
const cell = text => /[",\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
const csv = rows => rows.map(row => row.map(cell).join(",")).join("\n") + "\n";
const save = (name, type, text) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
const element = (name, attributes, text) => {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.name = figure.dataset.name;
    this.svg = figure.querySelector("svg.plot");
    this.plot = JSON.parse(this.svg.dataset.plot);
    this.mode = this.plot.now;
    this.source = figure.querySelector("pre.csv").textContent;
    this.readout = figure.querySelector(".readout");
    this.at = -1;
    // the browser would show a <title> as a tooltip on top of the readout
    this.title = this.svg.querySelector("title").textContent;
    this.svg.querySelector("title").textContent = "";
    this.svg.setAttribute("aria-label", this.title + ". " + this.svg.querySelector("desc").textContent + " Arrow keys read the values.");
    this.svg.removeAttribute("aria-labelledby");
    this.svg.setAttribute("tabindex", "0");
    this.guide = this.svg.appendChild(element("line", {class: "guide", y1: this.plot.box[1], y2: this.plot.box[3], visibility: "hidden"}));
    this.listen();
  }
  get data() {
    if (!this.parsed) {
      const [head, ...rows] = parse(this.source), columns = JSON.parse(this.figure.dataset.columns);
      const column = i => i === null ? null : rows.map(row => row[i] === "" ? undefined : +row[i]);
      this.parsed = {
        head, rows, x: rows.map(row => +row[0]),
        series: columns.map(([name, kind, group, y, low, high]) => ({name, kind, group, y: column(y), low: column(low), high: column(high)})),
      };
    }
    return this.parsed;
  }
  marks() { return [...this.svg.querySelectorAll(".series")]; }
  mark(i) { return this.svg.querySelector('.series[data-i="' + i + '"]'); }
  listen() {
    const {svg, figure} = this;
    svg.addEventListener("pointermove", event => {
      const box = svg.getBoundingClientRect(), [low, high, start, stop] = this.plot.x;
      const x = low + ((event.clientX - box.left) / box.width * 480 - start) / (stop - start) * (high - low);
      this.show(this.nearest(x));
    });
    svg.addEventListener("pointerleave", () => this.hide());
    svg.addEventListener("blur", () => this.hide());
    svg.addEventListener("keydown", event => {
      const last = this.data.x.length - 1;
      const to = {ArrowLeft: Math.max(this.at - 1, 0), ArrowRight: Math.min(this.at + 1, last), Home: 0, End: last}[event.key];
      if (event.key === "Escape") this.hide();
      if (to === undefined) return;
      event.preventDefault();
      live.textContent = this.show(to);
    });
    for (const entry of figure.querySelectorAll(".entry")) {
      const own = entry.dataset.series.split(" ");
      entry.addEventListener("click", () => {
        const on = entry.getAttribute("aria-pressed") !== "true";
        entry.setAttribute("aria-pressed", on);
        for (const i of own) this.mark(i).classList.toggle("off", !on);
      });
      const light = on => () => {
        svg.classList.toggle("focus", on && entry.getAttribute("aria-pressed") === "true");
        for (const i of own) this.mark(i).classList.toggle("on", on);
      };
      for (const [event, on] of [["pointerenter", true], ["focus", true], ["pointerleave", false], ["blur", false]]) entry.addEventListener(event, light(on));
    }
    figure.querySelector("details").addEventListener("toggle", event => this.table(event.currentTarget), {once: true});
    const tools = {
      csv: () => save(this.name + ".csv", "text/csv", this.source),
      svg: () => save(this.name + ".svg", "image/svg+xml", this.file()),
      scale: button => {
        this.draw(this.mode === "log" ? "linear" : "log");
        button.setAttribute("aria-pressed", this.mode === "log");
      },
    };
    for (const button of figure.querySelectorAll(".tools button")) button.addEventListener("click", () => tools[button.dataset.do](button));
  }
  nearest(x) {
    return this.data.x.reduce((best, value, i, all) => Math.abs(value - x) < Math.abs(all[best] - x) ? i : best, 0);
  }
  show(i) {
    const {x, series, head} = this.data, {readout, guide} = this, [low, high, start, stop] = this.plot.x;
    if (x[i] === undefined) return "";
    this.at = i;
    const at = start + (x[i] - low) / (high - low) * (stop - start), words = [];
    guide.setAttribute("x1", at); guide.setAttribute("x2", at); guide.setAttribute("visibility", "visible");
    const top = document.createElement("b");
    top.textContent = head[0] + " " + number(x[i]);
    const lines = series.flatMap((one, j) => {
      if (one.kind === "reference" || one.y[i] === undefined || this.mark(j).classList.contains("off")) return [];
      const known = one.low && Number.isFinite(one.low[i]) && Number.isFinite(one.high[i]);
      const value = number(one.y[i]) + (known ? " [" + number(one.low[i]) + ", " + number(one.high[i]) + "]" : "");
      const line = document.createElement("i"), name = document.createElement("span"), text = document.createElement("em");
      line.className = one.kind + " g" + one.group;
      name.textContent = one.name; text.textContent = value;
      words.push(one.name + " " + value);
      line.append(name, text);
      return [line];
    });
    readout.replaceChildren(top, ...lines);
    readout.hidden = false;
    const right = at > 250;
    readout.style.left = right ? "auto" : (at / 4.8 + 2) + "%";
    readout.style.right = right ? (100 - at / 4.8 + 2) + "%" : "auto";
    return top.textContent + ": " + words.join("; ");
  }
  hide() {
    this.readout.hidden = true;
    this.at = -1;
    this.guide.setAttribute("visibility", "hidden");
  }
  table(details) {
    const table = document.createElement("table"), add = (row, tag) => {
      const line = document.createElement("tr");
      for (const text of row) {
        const one = document.createElement(tag);
        one.className = "n";
        if (tag === "th") one.scope = "col";
        one.textContent = tag === "td" && text !== "" ? number(+text) : text;
        line.append(one);
      }
      return line;
    };
    const head = document.createElement("thead"), body = document.createElement("tbody");
    head.append(add(this.data.head, "th"));
    body.append(...this.data.rows.map(row => add(row, "td")));
    table.append(head, body);
    details.querySelector(".scroll").replaceChildren(table);
  }
  scale(mode) {
    const [, top, , bottom] = this.plot.box, {low, high} = this.plot[mode], f = mode === "log" ? Math.log10 : v => v;
    return v => Math.min(Math.max(bottom + (f(v) - f(low)) / (f(high) - f(low)) * (top - bottom), -2e3), 2e3);
  }
  draw(mode) {
    const [left, top, right, bottom] = this.plot.box, axis = this.plot[mode], [low, high, start, stop] = this.plot.x, {x, series} = this.data;
    const before = this.scale(this.mode), y = this.scale(mode);
    const across = v => (start + (v - low) / (high - low) * (stop - start)).toFixed(1);
    const fits = v => Number.isFinite(v) && (mode !== "log" || v > 0);
    const ticks = this.svg.querySelector(".yax");
    ticks.replaceChildren(...axis.ticks.filter(([v]) => y(v) > top - 4 && y(v) < bottom + 4).flatMap(([v, label]) => [
      element("path", {class: "grid", stroke: "#e3e6e9", d: `M${left},${y(v).toFixed(1)}H${right}`}),
      element("text", {x: left - 6, y: (y(v) + 4).toFixed(1), "text-anchor": "end"}, label),
    ]));
    this.svg.querySelector(".base").textContent = axis.base ? " − " + axis.base : "";
    series.forEach((one, j) => {
      const mark = this.mark(j), [line, band, dots, label] = ["line", "band", "dots", "reflab"].map(name => mark.querySelector("." + name));
      const runs = [[]];
      one.y.forEach((v, i) => { if (v === undefined) return; if (fits(v)) runs.at(-1).push(i); else runs.push([]); });
      const path = run => run.map(i => across(x[i]) + "," + y(one.y[i]).toFixed(1)).join("L");
      if (line) line.setAttribute("d", runs.filter(run => run.length).map(run => "M" + path(run) + (run.length === 1 ? "h0" : "")).join(""));
      const last = one.y.filter(v => v !== undefined).at(-1);
      if (label && fits(last)) label.setAttribute("y", y(last) > top + 10 ? y(last) - 5 : y(last) + 13);
      if (band) band.setAttribute("d", this.band(one, x, across, y, mode));
      if (dots) {
        const rows = (dots.dataset.at || "").split(" ").filter(Boolean).map(Number);
        this.shapes ||= {}; this.shapes[j] ||= {d: dots.getAttribute("d").split("Z"), scale: before};
        const {d, scale} = this.shapes[j];
        dots.setAttribute("d", rows.map((i, k) => {
          if (!fits(one.y[i])) return "";
          const shift = y(one.y[i]) - scale(one.y[i]);
          return d[k].replace(/,(-?[\d.]+)/g, (_, v) => "," + (+v + shift).toFixed(1)) + "Z";
        }).join(""));
      }
    });
    this.mode = mode;
  }
  band(one, x, across, y, mode) {
    const floor = this.plot[mode].low, out = [];
    let run = [];
    const close = () => {
      if (run.length) out.push("M" + [...run.map(([a, , h]) => a + "," + h), ...run.reverse().map(([a, l]) => a + "," + l)].join("L") + "Z");
      run = [];
    };
    one.y.forEach((v, i) => {
      if (v === undefined) return;
      const [l, h] = [one.low[i], one.high[i]], low = mode === "log" && l <= 0 ? floor : l;
      if (Number.isFinite(low) && Number.isFinite(h) && (mode !== "log" || h > 0)) run.push([across(x[i]), y(low).toFixed(1), y(h).toFixed(1)]); else close();
    });
    close();
    return out.join("");
  }
  file() {
    const copy = this.svg.cloneNode(true), [x, y, width, height] = copy.dataset.full.split(" ");
    copy.setAttribute("viewBox", [x, y, width, height].join(" "));
    copy.setAttribute("width", width); copy.setAttribute("height", height);
    copy.querySelector("title").textContent = this.title;
    for (const gone of copy.querySelectorAll(".guide, .series.off")) gone.remove();
    for (const name of ["data-plot", "tabindex", "class"]) copy.removeAttribute(name);
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + new XMLSerializer().serializeToString(copy);
  }
}

const charts = [...document.querySelectorAll("figure.chart")].map(figure => new Chart(figure));

document.getElementById("all").addEventListener("click", () => {
  const rows = [["chart", "x", "series", "kind", "value", "low", "high"]];
  for (const chart of charts) for (const one of chart.data.series) one.y.forEach((v, i) => {
    const text = part => !part || part[i] === undefined ? "" : String(part[i]);
    if (v !== undefined) rows.push([chart.name, String(chart.data.x[i]), one.name, one.kind, String(v), text(one.low), text(one.high)]);
  });
  save("remission-report.csv", "text/csv", csv(rows));
});
for (const button of document.querySelectorAll('button[data-do="table"]')) button.addEventListener("click", () => {
  const holder = button.closest(".table");
  const rows = [...holder.querySelectorAll("tr")].map(row => [...row.cells].map(one => one.dataset.v ?? one.textContent));
  save(holder.dataset.name + ".csv", "text/csv", csv(rows));
});
})();
