// The grid: thousands of items, of which only those in sight are in the page.

import { $, el, framed, icon, short } from "./dom.js";
import { drop, poster, silent } from "./clip.js";
import { colour } from "./ramp.js";

const GAP = 8;
const WIDTH = 108; // pixels of a tile, at least

export class Grid {
  #store;
  #box = $("#grid");
  #sheet = $("#sheet");
  #fresh = $("#fresh");
  #rows = [];
  #tiles = new Map();
  #columns = 1;
  #side = WIDTH;
  #inside = false;
  #playing = null;
  draw = framed(() => this.#paint());

  constructor(store) {
    this.#store = store;
    new ResizeObserver(() => this.#measure()).observe(this.#box);
    this.#box.addEventListener("scroll", this.draw, { passive: true });
    this.#box.addEventListener("pointerenter", (event) => (this.#inside = event.pointerType === "mouse"));
    this.#box.addEventListener("pointerleave", () => {
      this.#inside = false;
      this.#stop();
      this.#take();
    });
    this.#box.addEventListener("pointerover", (event) => this.#over(event));
    this.#box.addEventListener("click", (event) => {
      const tile = event.target.closest("[data-id]");
      if (tile) store.choose(tile.dataset.id, true);
    });
    this.#fresh.addEventListener("click", () => {
      this.#take();
      this.#box.scrollTop = 0;
    });
    store.on("change", () => this.#changed());
    store.on("filter", () => {
      this.#take();
      this.#box.scrollTop = 0;
    });
    store.on("choose", () => this.#reveal());
    store.on("mark", () => this.#refresh());
  }

  /** Data came. Tiles don't move under a pointer: what is new waits until it has left. */
  #changed() {
    const next = this.#store.shown;
    const settled = this.#rows.length > 0 && (this.#inside || this.#box.scrollTop > this.#side / 2);
    if (!settled) return this.#take();
    this.#rows = this.#rows.filter((row) => !row.hidden);
    const held = new Set(this.#rows);
    const count = next.filter((row) => !held.has(row)).length;
    this.#fresh.hidden = count === 0;
    this.#fresh.textContent = `${count.toLocaleString("en")} new`;
    this.#refresh();
  }

  #take() {
    this.#rows = this.#store.shown;
    this.#fresh.hidden = true;
    const none = this.#rows.length === 0;
    const any = this.#store.items.size > 0;
    $("#grid-empty").hidden = !none;
    $("#grid-empty").textContent = any ? "Nothing passes these filters." : "The first samples are on their way.";
    this.#refresh();
  }

  #refresh() {
    for (const [id, tile] of this.#tiles) this.#label(tile, this.#store.get(id));
    this.#measure();
  }

  #measure() {
    const width = this.#box.clientWidth - 2 * GAP;
    this.#columns = Math.max(2, Math.floor((width + GAP) / (WIDTH + GAP)));
    this.#side = (width - GAP * (this.#columns - 1)) / this.#columns;
    const lines = Math.ceil(this.#rows.length / this.#columns);
    this.#sheet.style.height = `${lines * (this.#side + GAP) + GAP}px`;
    this.#paint();
  }

  #paint() {
    const pitch = this.#side + GAP;
    const first = Math.max(0, Math.floor(this.#box.scrollTop / pitch) - 1) * this.#columns;
    const lines = Math.ceil(this.#box.clientHeight / pitch) + 3;
    const inSight = this.#rows.slice(first, first + lines * this.#columns);
    const wanted = new Set(inSight.map((row) => row.id));
    for (const [id, tile] of this.#tiles) {
      if (wanted.has(id)) continue;
      tile.remove();
      this.#tiles.delete(id);
    }
    inSight.forEach((row, i) => {
      const place = first + i;
      const tile = this.#tiles.get(row.id) ?? this.#make(row);
      const [x, y] = [(place % this.#columns) * pitch + GAP, Math.floor(place / this.#columns) * pitch + GAP];
      tile.style.transform = `translate(${x}px, ${y}px)`;
      tile.style.width = tile.style.height = `${this.#side}px`;
      tile.setAttribute("aria-posinset", place + 1);
      tile.setAttribute("aria-setsize", this.#rows.length);
    });
  }

  #make(row) {
    const tile = el("div", { class: "tile", role: "option", id: `tile-${row.id}`, data: { id: row.id } });
    tile.append(el("span", { class: "shot" }, poster(row)), el("i", { class: "bar" }), el("span", { class: "signs" }));
    this.#label(tile, row);
    this.#tiles.set(row.id, tile);
    this.#sheet.append(tile);
    return tile;
  }

  #label(tile, row) {
    const chosen = row === this.#store.chosen;
    tile.setAttribute("aria-selected", chosen);
    tile.classList.toggle("marked", row === this.#store.marked);
    tile.classList.toggle("disliked", row.mine < 0);
    const said = [row.prompt || row.id, row.operator, `quality ${short(row.quality)}`];
    if (row.likes > 0) said.push("liked");
    if (row.pinned) said.push("pinned");
    tile.setAttribute("aria-label", said.join(", "));
    const bar = $(".bar", tile);
    bar.style.width = `${100 * (row.quality ?? 0)}%`;
    bar.style.background = colour(row.quality);
    const signs = [];
    if (row.likes > 0) signs.push(icon("like"));
    if (row.pinned) signs.push(icon("pin"));
    $(".signs", tile).replaceChildren(...signs);
    if (chosen) this.#box.setAttribute("aria-activedescendant", tile.id);
  }

  #over(event) {
    if (event.pointerType !== "mouse") return;
    const tile = event.target.closest("[data-id]");
    if (tile === this.#playing?.tile) return;
    this.#stop();
    const row = tile && this.#store.get(tile.dataset.id);
    if (!row?.media) return;
    const clip = silent(row);
    $(".shot", tile).append(clip);
    this.#playing = { tile, clip };
  }

  #stop() {
    if (!this.#playing) return;
    drop(this.#playing.clip);
    this.#playing.clip.remove();
    this.#playing = null;
  }

  /** Bring the chosen item into sight. */
  #reveal() {
    const place = this.#rows.indexOf(this.#store.chosen);
    if (place >= 0) {
      const pitch = this.#side + GAP;
      const top = Math.floor(place / this.#columns) * pitch;
      const { scrollTop, clientHeight } = this.#box;
      if (top < scrollTop) this.#box.scrollTop = top;
      else if (top + pitch + GAP > scrollTop + clientHeight) this.#box.scrollTop = top + pitch + GAP - clientHeight;
    }
    this.#refresh();
  }

  /** Choose another item: so many columns and lines away. */
  step(columns, lines) {
    const place = this.#rows.indexOf(this.#store.chosen);
    const next = place < 0 ? 0 : place + columns + lines * this.#columns;
    const row = this.#rows[Math.max(0, Math.min(this.#rows.length - 1, next))];
    if (row) this.#store.choose(row.id);
  }
}
