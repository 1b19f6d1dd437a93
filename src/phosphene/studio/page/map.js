// The map: what is alike lies close. The best stand out as pictures where there is room for them.

import { $, framed, still } from "./dom.js";
import { RAMP, STEPS, UNTOLD, step } from "./ramp.js";

const MARGIN = 34;
const PICTURES = 260; // drawn at once, at most
const KEPT = 700; // pictures held in memory
const GLIDE = 600; // milliseconds from one drawing of the map to the next
const NEW = 5000; // milliseconds during which a new item is ringed

export class Map2D {
  #store;
  #canvas = $("#map");
  #context = this.#canvas.getContext("2d");
  #view = { x: 0, y: 0, zoom: 1 };
  #pictures = new Map();
  #order = [];
  #glide = null;
  #arrivals = new Map();
  #pointers = new Map();
  #moved = 0;
  #float;
  #dots = new Map();
  #size = [0, 0];
  #lit = null;
  #unit = [100, 100];
  draw = framed(() => this.#paint());

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
    this.#size = [width, height];
    this.#canvas.width = width * ratio;
    this.#canvas.height = height * ratio;
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#fit();
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
    if (redrawn || fresh.length) this.#fit();
    $("#map-empty").hidden = placed.length > 0;
    this.draw();
  }

  /** All items fit; one direction is stretched by no more than half to fill the pane. */
  #fit() {
    const reach = [0, 1].map((i) => {
      const far = this.#order.map((row) => Math.abs(i ? row.y : row.x)).sort((a, b) => a - b);
      // One that lies far out does not make all others small.
      const most = far[Math.floor(0.98 * (far.length - 1))] ?? 1;
      return Math.max(0.1, Math.min(far.at(-1) ?? 1, 1.3 * most));
    });
    const [ux, uy] = this.#size.map((size, i) => Math.max(40, size / 2 - MARGIN) / reach[i]);
    this.#unit = [Math.min(ux, 1.5 * uy), Math.min(uy, 1.5 * ux)];
  }

  /** Pixels of a place on the map. */
  #pixel([x, y]) {
    const [width, height] = this.#size;
    const { x: cx, y: cy, zoom } = this.#view;
    const [ux, uy] = this.#unit;
    return [width / 2 + (x - cx) * ux * zoom, height / 2 - (y - cy) * uy * zoom];
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
    const [width, height] = this.#size;
    this.#advance(now);
    context.clearRect(0, 0, width, height);
    const side = Math.min(120, 42 * Math.sqrt(this.#view.zoom));
    const near = [];
    for (const row of this.#order) {
      const [x, y] = this.#pixel(row.at);
      if (x < -side || y < -side || x > width + side || y > height + side || row.hidden) continue;
      near.push({ row, x, y, passes: this.#store.passes(row) });
    }
    for (const spot of near) if (!spot.passes) this.#dot(spot);
    for (const spot of near) if (spot.passes) this.#dot(spot);
    this.#lines(near);
    const shown = this.#roomy(near, side);
    const chosen = near.filter((spot) => spot.row === this.#store.chosen && spot.row.poster);
    for (const spot of chosen) spot.taken = true;
    for (const spot of [...shown.reverse(), ...chosen]) this.#picture(spot, side);
    this.#rings(near, side, now);
  }

  #dot({ row, x, y, passes }) {
    const sprite = this.#sprite(step(row.quality));
    this.#context.globalAlpha = passes ? 1 : 0.16;
    this.#context.drawImage(sprite, x - 6, y - 6, 12, 12);
    this.#context.globalAlpha = 1;
  }

  #sprite(level) {
    if (!this.#dots.has(level)) {
      const made = document.createElement("canvas");
      made.width = made.height = 24;
      const context = made.getContext("2d");
      const glow = context.createRadialGradient(12, 12, 0, 12, 12, 12);
      const hue = level < 0 ? UNTOLD : RAMP[level];
      const alpha = level < 0 ? 0.2 : 0.12 + (0.3 * level) / STEPS;
      glow.addColorStop(0, hue.replace(")", ` / ${alpha})`));
      glow.addColorStop(1, hue.replace(")", " / 0)"));
      context.fillStyle = glow;
      context.fillRect(0, 0, 24, 24);
      context.fillStyle = hue;
      context.beginPath();
      context.arc(12, 12, 5, 0, 7);
      context.fill();
      this.#dots.set(level, made);
    }
    return this.#dots.get(level);
  }

  /** Those that can be shown as pictures without overlap, the best first. */
  #roomy(near, side) {
    const cells = new Map();
    const taken = [];
    const gap = side + 5;
    for (const spot of near) {
      if (taken.length >= PICTURES) break;
      if (!spot.row.poster || !spot.passes) continue;
      const [cx, cy] = [Math.floor(spot.x / gap), Math.floor(spot.y / gap)];
      let free = true;
      for (let i = cx - 1; free && i <= cx + 1; i++) {
        for (let j = cy - 1; free && j <= cy + 1; j++) {
          const other = cells.get(`${i},${j}`);
          free = !other || Math.abs(other.x - spot.x) >= gap || Math.abs(other.y - spot.y) >= gap;
        }
      }
      if (!free) continue;
      cells.set(`${cx},${cy}`, spot);
      spot.taken = true;
      taken.push(spot);
    }
    return taken;
  }

  #picture({ row, x, y }, side) {
    const image = this.#image(row.poster);
    if (!image.complete || !image.naturalWidth) return;
    const context = this.#context;
    const long = Math.max(image.naturalWidth, image.naturalHeight);
    const [w, h] = [(side * image.naturalWidth) / long, (side * image.naturalHeight) / long];
    context.save();
    context.beginPath();
    context.roundRect(x - w / 2, y - h / 2, w, h, 6);
    context.strokeStyle = step(row.quality) < 0 ? UNTOLD : RAMP[step(row.quality)];
    context.lineWidth = 3;
    context.stroke();
    context.clip();
    context.imageSmoothingEnabled = long > 96;
    context.drawImage(image, x - w / 2, y - h / 2, w, h);
    context.restore();
  }

  #image(url) {
    let image = this.#pictures.get(url);
    if (image) return image;
    image = new Image();
    image.onload = this.draw;
    image.src = url;
    this.#pictures.set(url, image);
    if (this.#pictures.size > KEPT) this.#pictures.delete(this.#pictures.keys().next().value);
    return image;
  }

  /** From the chosen item to its parents and children. */
  #lines(near) {
    const { chosen, children } = this.#store;
    if (!chosen?.at) return;
    const context = this.#context;
    const here = this.#pixel(chosen.at);
    const draw = (ids, style) => {
      context.strokeStyle = style;
      context.lineWidth = 1.5;
      for (const id of ids) {
        const row = this.#store.get(id);
        if (!row?.at) continue;
        context.beginPath();
        context.moveTo(...here);
        context.lineTo(...this.#pixel(row.at));
        context.stroke();
      }
    };
    draw(children.get(chosen.id) ?? [], "rgb(122 165 255 / .55)");
    draw(chosen.parents, "rgb(255 255 255 / .75)");
  }

  #rings(near, side, now) {
    const context = this.#context;
    for (const { row, x, y, taken } of near) {
      const half = taken ? side / 2 + 3 : 8;
      const ring = (style, width) => {
        context.strokeStyle = style;
        context.lineWidth = width;
        context.beginPath();
        context.roundRect(x - half, y - half, 2 * half, 2 * half, 8);
        context.stroke();
      };
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
      const [px, py] = this.#pixel(row.at);
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least) [best, least] = [row, far];
    }
    return best;
  }

  /** Zoom by a factor about a pixel; 0 shows all. */
  zoom(factor, x = this.#size[0] / 2, y = this.#size[1] / 2) {
    if (!factor) this.#view = { x: 0, y: 0, zoom: 1 };
    else {
      const zoom = Math.min(60, Math.max(0.7, this.#view.zoom * factor));
      const [a, b] = [this.#place(x, y), ((this.#view.zoom = zoom), this.#place(x, y))];
      this.#view.x += a[0] - b[0];
      this.#view.y += a[1] - b[1];
    }
    this.draw();
  }

  /** Place on the map of a pixel. */
  #place(x, y) {
    const [ox, oy] = this.#pixel([0, 0]);
    const [ux, uy] = this.#pixel([1, 1]);
    return [(x - ox) / (ux - ox), (y - oy) / (uy - oy)];
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
    canvas.addEventListener("dblclick", (event) => this.zoom(2, ...at(event)));
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
      this.zoom(ratio, (x + ox) / 2, (y + oy) / 2);
    } else {
      const [a, b] = [this.#place(...before), this.#place(x, y)];
      this.#view.x += a[0] - b[0];
      this.#view.y += a[1] - b[1];
    }
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
    const here = this.#store.chosen?.at ? this.#pixel(this.#store.chosen.at) : this.#size.map((s) => s / 2);
    let [best, least] = [null, Infinity];
    for (const row of this.#order) {
      if (row === this.#store.chosen || !this.#store.passes(row)) continue;
      const [px, py] = this.#pixel(row.at);
      const [x, y] = [px - here[0], py - here[1]];
      const along = x * dx + y * dy;
      const far = along + 2 * Math.abs(x * dy - y * dx);
      if (along > 0.5 && far < least) [best, least] = [row, far];
    }
    if (best) this.#store.choose(best.id);
  }
}
