// The map: what is alike lies close. The best stand out as pictures where there is room for them.

import { Brush, roomy } from "./brush.js";
import { $, framed, still } from "./dom.js";
import { Frame } from "./frame.js";

const GLIDE = 600; // milliseconds from one drawing of the map to the next
const NEW = 5000; // milliseconds during which a new item is ringed

export class Map2D {
  #store;
  #canvas = $("#map");
  #context = this.#canvas.getContext("2d");
  #frame = new Frame();
  #order = [];
  #glide = null;
  #arrivals = new Map();
  #pointers = new Map();
  #moved = 0;
  #float;
  #lit = null;
  draw = framed(() => this.#paint());
  #brush = new Brush(this.#context, this.draw);

  constructor(store, float) {
    this.#store = store;
    this.#float = float;
    new ResizeObserver(() => this.#resize()).observe(this.#canvas);
    store.on("change", ({ fresh, redrawn }) => this.#changed(fresh, redrawn));
    store.on("filter choose mark", () => this.draw());
    this.#listen();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const ratio = Math.min(2, devicePixelRatio || 1);
    this.#frame.size = [width, height];
    this.#canvas.width = width * ratio;
    this.#canvas.height = height * ratio;
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#frame.fit(this.#order);
    this.#paint();
  }

  #changed(fresh, redrawn) {
    const now = performance.now();
    const placed = [...this.#store.items.values()].filter((row) => row.x !== undefined);
    const glides = redrawn && this.#order.length > 0 && !still.matches;
    for (const row of placed) {
      row.from = glides && row.at ? row.at : [row.x, row.y];
      row.at ??= [row.x, row.y];
      if (!glides) row.at = [row.x, row.y];
    }
    if (glides) this.#glide = now;
    if (this.#order.length > 0) for (const id of fresh) this.#arrivals.set(id, now);
    const worth = (row) => row.likes + (row.pinned ? 1 : 0) + (row.quality ?? 0);
    this.#order = placed.sort((a, b) => worth(b) - worth(a));
    if (redrawn || fresh.length) this.#frame.fit(this.#order);
    $("#map-empty").hidden = placed.length > 0;
    this.draw();
  }

  #advance(now) {
    if (this.#glide === null) return;
    const share = Math.min(1, (now - this.#glide) / GLIDE);
    const eased = 1 - (1 - share) ** 3;
    for (const row of this.#order) {
      row.at = [0, 1].map((i) => row.from[i] + eased * ([row.x, row.y][i] - row.from[i]));
    }
    if (share === 1) this.#glide = null;
    else this.draw();
  }

  #paint() {
    const now = performance.now();
    const context = this.#context;
    const [width, height] = this.#frame.size;
    this.#advance(now);
    context.clearRect(0, 0, width, height);
    const side = Math.min(120, 42 * Math.sqrt(this.#frame.closeness));
    const near = [];
    for (const row of this.#order) {
      const [x, y] = this.#frame.pixel(row.at);
      if (x < -side || y < -side || x > width + side || y > height + side || row.hidden) continue;
      near.push({ row, x, y, passes: this.#store.passes(row) });
    }
    for (const spot of near) if (!spot.passes) this.#brush.dot(spot);
    for (const spot of near) if (spot.passes) this.#brush.dot(spot);
    this.#lines(near);
    const shown = roomy(near, side);
    const chosen = near.filter((spot) => spot.row === this.#store.chosen && spot.row.poster);
    for (const spot of chosen) spot.taken = true;
    for (const spot of [...shown.reverse(), ...chosen]) this.#brush.picture(spot, side);
    this.#rings(near, side, now);
  }

  /** From the chosen item to its parents and children. */
  #lines(near) {
    const { chosen, children } = this.#store;
    if (!chosen?.at) return;
    const here = this.#frame.pixel(chosen.at);
    const draw = (ids, style) => {
      for (const id of ids) {
        const row = this.#store.get(id);
        if (row?.at) this.#brush.line(here, this.#frame.pixel(row.at), style);
      }
    };
    draw(children.get(chosen.id) ?? [], "rgb(122 165 255 / .55)");
    draw(chosen.parents, "rgb(255 255 255 / .75)");
  }

  #rings(near, side, now) {
    for (const spot of near) {
      const { row } = spot;
      const half = spot.taken ? side / 2 + 3 : 8;
      const ring = (style, width) => this.#brush.ring(spot, half, style, width);
      const age = now - (this.#arrivals.get(row.id) ?? -NEW);
      if (age < NEW) ring(`rgb(255 255 255 / ${(1 - age / NEW) * 0.9})`, 1.5);
      else this.#arrivals.delete(row.id);
      if (row === this.#lit) ring("rgb(255 255 255 / .7)", 1.5);
      if (row === this.#store.marked) ring("#7aa5ff", 2.5);
      if (row === this.#store.chosen) ring("#fff", 2.5);
    }
    if (this.#arrivals.size) setTimeout(this.draw, still.matches ? 1000 : 60);
  }

  /** The item under a pixel: a picture, or the nearest dot within reach. */
  #under(x, y) {
    let [best, least] = [null, 22 ** 2];
    for (const row of this.#order) {
      if (row.hidden || !this.#store.passes(row)) continue;
      const [px, py] = this.#frame.pixel(row.at);
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least) [best, least] = [row, far];
    }
    return best;
  }

  zoom(factor, about) {
    this.#frame.zoom(factor, about);
    this.draw();
  }

  #listen() {
    const canvas = this.#canvas;
    const at = (event) => [event.offsetX, event.offsetY];
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), ...at(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#pointers.set(event.pointerId, at(event));
      this.#moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => this.#move(event, at(event)));
    const up = (event) => {
      const was = this.#pointers.delete(event.pointerId);
      if (!was || this.#moved > 5 || event.type !== "pointerup") return;
      const row = this.#under(...at(event));
      if (row) this.#store.choose(row.id, true);
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => this.#hover(null));
    canvas.addEventListener("dblclick", (event) => this.zoom(2, at(event)));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    for (const button of document.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.zoom(Number(button.dataset.zoom)));
    }
  }

  #move(event, [x, y]) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") this.#hover(this.#under(x, y), event);
      return;
    }
    const others = [...this.#pointers].filter(([id]) => id !== event.pointerId);
    this.#moved += Math.hypot(x - before[0], y - before[1]);
    if (others.length) {
      const [ox, oy] = others[0][1];
      const ratio = Math.hypot(x - ox, y - oy) / Math.max(1, Math.hypot(before[0] - ox, before[1] - oy));
      this.zoom(ratio, [(x + ox) / 2, (y + oy) / 2]);
    } else this.#frame.pan(before, [x, y]);
    this.#pointers.set(event.pointerId, [x, y]);
    this.#hover(null);
    this.draw();
  }

  #hover(row, event) {
    this.#canvas.style.cursor = row ? "pointer" : "";
    if (row !== this.#lit) {
      this.#lit = row;
      this.draw();
    }
    if (row) this.#float.show(row, event.clientX, event.clientY);
    else this.#float.hide();
  }

  #key(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const zooms = { "+": 1.6, "=": 1.6, "-": 0.625, 0: 0 };
    if (event.key in zooms) this.zoom(zooms[event.key]);
    else if (event.key in ways) this.#step(ways[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** To the nearest item that way, distance sideways counting double. */
  #step([dx, dy]) {
    const here = this.#store.chosen?.at ? this.#frame.pixel(this.#store.chosen.at) : this.#frame.size.map((s) => s / 2);
    let [best, least] = [null, Infinity];
    for (const row of this.#order) {
      if (row === this.#store.chosen || !this.#store.passes(row)) continue;
      const [px, py] = this.#frame.pixel(row.at);
      const [x, y] = [px - here[0], py - here[1]];
      const along = x * dx + y * dy;
      const far = along + 2 * Math.abs(x * dy - y * dx);
      if (along > 0.5 && far < least) [best, least] = [row, far];
    }
    if (best) this.#store.choose(best.id);
  }
}
