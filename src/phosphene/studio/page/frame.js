// The map's frame: which part of the map is seen, and where in the canvas.

const MARGIN = 34; // pixels

/** From where to where sorted numbers go; those that lie far out don't make all others small. */
function within(sorted) {
  if (!sorted.length) return [-1, 1];
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const reach = 0.7 * (at(0.98) - at(0.02));
  const middle = (at(0.98) + at(0.02)) / 2;
  return [Math.max(sorted[0], middle - reach), Math.min(sorted.at(-1), middle + reach)];
}

export class Frame {
  size = [0, 0];
  #seen = { x: 0, y: 0, zoom: 1 };
  #unit = [100, 100];
  #middle = [0, 0];

  get closeness() {
    return this.#seen.zoom;
  }

  /** All items fit; one direction is stretched by no more than half to fill the canvas. */
  fit(rows) {
    const spans = [0, 1].map((i) => within(rows.map((row) => (i ? row.y : row.x)).sort((a, b) => a - b)));
    this.#middle = spans.map(([low, high]) => (low + high) / 2);
    const [ux, uy] = this.size.map((size, i) => {
      const [low, high] = spans[i];
      return Math.max(80, size - 2 * MARGIN) / Math.max(0.2, high - low);
    });
    this.#unit = [Math.min(ux, 1.5 * uy), Math.min(uy, 1.5 * ux)];
  }

  /** Pixels of a place on the map. */
  pixel([x, y]) {
    const [width, height] = this.size;
    const { x: cx, y: cy, zoom } = this.#seen;
    const [ux, uy] = this.#unit;
    const [mx, my] = this.#middle;
    return [width / 2 + (x - mx - cx) * ux * zoom, height / 2 - (y - my - cy) * uy * zoom];
  }

  /** Place on the map of a pixel. */
  place([x, y]) {
    const [ox, oy] = this.pixel([0, 0]);
    const [ux, uy] = this.pixel([1, 1]);
    return [(x - ox) / (ux - ox), (y - oy) / (uy - oy)];
  }

  /** Closer by a factor, about a pixel; 0 shows all. */
  zoom(factor, about = this.size.map((size) => size / 2)) {
    if (!factor) {
      this.#seen = { x: 0, y: 0, zoom: 1 };
      return;
    }
    const before = this.place(about);
    this.#seen.zoom = Math.min(60, Math.max(0.7, this.#seen.zoom * factor));
    this.#shift(before, this.place(about));
  }

  /** What was under one pixel comes under another. */
  pan(from, to) {
    this.#shift(this.place(from), this.place(to));
  }

  #shift([ax, ay], [bx, by]) {
    this.#seen.x += ax - bx;
    this.#seen.y += ay - by;
  }
}
