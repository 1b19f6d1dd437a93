// Coverage and quality as the search spends its denoiser calls; drag over it to see those rounds.

import { $, el, short, svg } from "./dom.js";

const LINES = [
  ["coverage", "share of the map's 256 cells reached"],
  ["mean", "mean quality of a round"],
  ["best", "best quality so far"],
];
const [LEFT, RIGHT, TOP, BOTTOM] = [34, 12, 8, 20];

const MOST = 120; // points of a line: more would be noise

/** Rounds that have a value; many are drawn as the means of as many neighbours as it takes. */
function smooth(told, name) {
  const known = told.filter((row) => row[name] !== null && row[name] !== undefined);
  const each = Math.ceil(known.length / MOST);
  const mean = (rows, of) => rows.reduce((sum, row) => sum + row[of], 0) / rows.length;
  return Array.from({ length: Math.ceil(known.length / each) || 0 }, (_, i) => {
    const rows = known.slice(i * each, (i + 1) * each);
    return { calls: rows.at(-1).calls, [name]: mean(rows, name) };
  });
}

export class Timeline {
  #store;
  #box = $("#timeline");
  #from = null;
  #tip = el("p", { class: "tip", hidden: true });

  constructor(store) {
    this.#store = store;
    const legend = LINES.map(([name, what]) => el("span", { class: name, title: what }, name === "mean" ? "quality" : name));
    $("#time-legend").append(...legend);
    new ResizeObserver(() => this.draw()).observe(this.#box);
    store.on("change filter", () => this.draw());
    this.#box.addEventListener("pointermove", (event) => this.#point(event));
    this.#box.addEventListener("pointerleave", () => (this.#tip.hidden = true));
    this.#box.addEventListener("pointerdown", (event) => {
      this.#box.setPointerCapture(event.pointerId);
      this.#from = this.#nearest(event)?.round ?? null;
    });
    this.#box.addEventListener("pointerup", (event) => this.#brush(event));
    this.#box.addEventListener("dblclick", () => store.filter({ from: null, to: null }));
  }

  #scales() {
    const { clientWidth: width, clientHeight: height } = this.#box;
    const most = Math.max(1, ...this.#store.told.map((row) => row.calls));
    const x = (calls) => LEFT + ((width - LEFT - RIGHT) * calls) / most;
    const y = (share) => height - BOTTOM - (height - TOP - BOTTOM) * Math.max(0, Math.min(1, share));
    return { width, height, most, x, y };
  }

  draw() {
    const { width, height, most, x, y } = this.#scales();
    if (width < 40 || height < 40) return;
    const label = `${LINES.map(([name]) => `${name} ${short(this.#store.told.at(-1)?.[name])}`).join(", ")}`;
    const page = svg("svg", { width, height, role: "img", "aria-label": label });
    for (const share of [0, 0.5, 1]) {
      page.append(
        svg("line", { class: "rule", x1: LEFT, x2: width - RIGHT, y1: y(share), y2: y(share) }),
        svg("text", { x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, short(share)),
      );
    }
    for (const share of [0, 0.5, 1]) {
      const anchor = share === 1 ? "end" : share === 0 ? "start" : "middle";
      page.append(svg("text", { x: x(most * share), y: height - 4, "text-anchor": anchor }, short(Math.round(most * share))));
    }
    page.append(...this.#band(x, y));
    for (const [name] of LINES) {
      const points = smooth(this.#store.told, name);
      const path = points.map((row) => `${x(row.calls).toFixed(1)},${y(row[name]).toFixed(1)}`);
      page.append(svg("polyline", { class: name, points: path.join(" ") }));
      const last = points.at(-1);
      if (last) page.append(svg("circle", { class: name, cx: x(last.calls), cy: y(last[name]), r: 3 }));
    }
    this.#box.replaceChildren(page, this.#tip);
  }

  /** The rounds that the filter lets pass. */
  #band(x, y) {
    const { from, to } = this.#store.filters;
    if (from === null && to === null) return [];
    const within = this.#store.told.filter((row) => row.round >= (from ?? 0) && row.round <= (to ?? Infinity));
    if (!within.length) return [];
    const start = this.#store.told[this.#store.told.indexOf(within[0]) - 1]?.calls ?? 0;
    const [left, right] = [x(start), x(within.at(-1).calls)];
    return [svg("rect", { class: "band", x: left, y: y(1), width: Math.max(2, right - left), height: y(0) - y(1) })];
  }

  #nearest(event) {
    const { x } = this.#scales();
    const at = event.clientX - this.#box.getBoundingClientRect().left;
    let best = null;
    for (const row of this.#store.told) {
      if (!best || Math.abs(x(row.calls) - at) < Math.abs(x(best.calls) - at)) best = row;
    }
    return best;
  }

  #point(event) {
    const row = this.#nearest(event);
    if (!row) return;
    const { x, width } = this.#scales();
    const facts = [`round ${row.round}`, `${short(row.calls)} calls`, `${short(row.size)} different`];
    facts.push(...LINES.map(([name]) => `${name === "mean" ? "quality" : name} ${short(row[name])}`));
    this.#tip.textContent = facts.join("  ·  ");
    this.#tip.hidden = false;
    const left = Math.max(0, Math.min(width - this.#tip.offsetWidth, x(row.calls) - this.#tip.offsetWidth / 2));
    this.#tip.style.transform = `translateX(${left}px)`;
  }

  #brush(event) {
    const end = this.#nearest(event)?.round;
    const from = this.#from;
    this.#from = null;
    if (from === null || end === undefined || from === end) return;
    this.#store.filter({ from: Math.min(from, end), to: Math.max(from, end) });
  }
}
