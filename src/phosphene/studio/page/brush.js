// What the map is drawn with: dots, pictures, rings and lines.

import { RAMP, STEPS, UNTOLD, colour, step } from "./ramp.js";

const PICTURES = 260; // drawn at once, at most
const KEPT = 700; // pictures held in memory

/** Those that can be shown as pictures without overlap, the best first. */
export function roomy(near, side) {
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

export class Brush {
  #context;
  #redraw;
  #dots = new Map();
  #pictures = new Map();

  /** `redraw` is called when a picture has come. */
  constructor(context, redraw) {
    this.#context = context;
    this.#redraw = redraw;
  }

  dot({ row, x, y, passes }) {
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

  picture({ row, x, y }, side) {
    const image = this.#image(row.poster);
    if (!image.complete || !image.naturalWidth) return;
    const context = this.#context;
    const long = Math.max(image.naturalWidth, image.naturalHeight);
    const [w, h] = [(side * image.naturalWidth) / long, (side * image.naturalHeight) / long];
    context.save();
    context.beginPath();
    context.roundRect(x - w / 2, y - h / 2, w, h, 6);
    context.strokeStyle = colour(row.quality);
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
    image.onload = this.#redraw;
    image.src = url;
    this.#pictures.set(url, image);
    if (this.#pictures.size > KEPT) this.#pictures.delete(this.#pictures.keys().next().value);
    return image;
  }

  ring({ x, y }, half, style, width) {
    const context = this.#context;
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    context.roundRect(x - half, y - half, 2 * half, 2 * half, 8);
    context.stroke();
  }

  line(from, to, style) {
    const context = this.#context;
    context.strokeStyle = style;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  }
}
