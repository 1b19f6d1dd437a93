// All that the page knows of the session, and what is chosen and filtered.

import { rater } from "./wire.js";

const ORDERS = {
  newest: (a, b) => (a.id < b.id ? 1 : -1),
  best: (a, b) => (b.quality ?? -1) - (a.quality ?? -1) || (a.id < b.id ? 1 : -1),
  novel: (a, b) => (b.novelty ?? -1) - (a.novelty ?? -1) || (a.id < b.id ? 1 : -1),
  liked: (a, b) => b.likes - a.likes || (b.quality ?? -1) - (a.quality ?? -1) || (a.id < b.id ? 1 : -1),
};

export const OPEN = Object.freeze({
  sort: "newest", text: "", operator: "", quality: 0, from: null, to: null, liked: false, pinned: false,
});

/**
 * Events: `change` (data came; detail `{fresh, redrawn}`), `choose` (another item), `filter`, `mark`.
 */
export class Store extends EventTarget {
  items = new Map();
  children = new Map();
  told = [];
  session = {};
  explorer = { state: "watching" };
  line = 0;
  spent = 0;
  failed = 0;
  previews = 0;
  waiting = 0;
  stopped = false;
  drawing = 0;
  chosen = null;
  marked = null;
  filters = { ...OPEN };
  #shown = null;

  /** Take in a change, or the whole. */
  apply(change) {
    const { rows, told, ...rest } = change;
    const redrawn = rest.drawing !== this.drawing;
    const fresh = [];
    Object.assign(this, rest);
    for (const row of rows) if (this.#put(row)) fresh.push(row.id);
    const known = new Set(this.told.map((row) => row.line));
    this.told.push(...told.filter((row) => !known.has(row.line)));
    this.#shown = null;
    this.#emit("change", { fresh, redrawn });
  }

  #put(row) {
    const opinions = Object.values(row.opinions ?? {});
    row.likes = opinions.reduce((sum, opinion) => sum + opinion, 0);
    row.mine = row.opinions?.[rater] ?? 0;
    row.parents ??= [];
    row.words = row.prompt.toLowerCase();
    const before = this.items.get(row.id);
    if (before) {
      // The same object: the map's animation and what is chosen go on.
      for (const name of ["pinned", "hidden", "admitted"]) before[name] = false;
      Object.assign(before, row);
      return false;
    }
    this.items.set(row.id, row);
    for (const parent of row.parents) {
      if (!this.children.has(parent)) this.children.set(parent, []);
      this.children.get(parent).push(row.id);
    }
    return true;
  }

  get(id) {
    return this.items.get(id) ?? null;
  }

  /** Whether an item passes the filters. */
  passes(row) {
    const f = this.filters;
    return (
      !row.hidden &&
      (!f.operator || row.operator === f.operator) &&
      (!f.quality || (row.quality ?? -1) >= f.quality) &&
      (f.from === null || row.round >= f.from) &&
      (f.to === null || row.round <= f.to) &&
      (!f.liked || row.likes > 0) &&
      (!f.pinned || row.pinned) &&
      (!f.text || f.text.split(/\s+/).every((word) => row.words.includes(word)))
    );
  }

  /** Items that pass, in order; the liked order shows liked ones alone. */
  get shown() {
    if (!this.#shown) {
      const kept = [...this.items.values()].filter((row) => this.passes(row));
      const some = this.filters.sort === "liked" ? kept.filter((row) => row.likes > 0) : kept;
      this.#shown = some.sort(ORDERS[this.filters.sort]);
    }
    return this.#shown;
  }

  get filtered() {
    return Object.keys(OPEN).some((name) => name !== "sort" && this.filters[name] !== OPEN[name]);
  }

  operators() {
    return [...new Set([...this.items.values()].map((row) => row.operator))].sort();
  }

  /** Share of items with a value below this one's. */
  rank(name, row) {
    const values = [...this.items.values()].map((r) => r[name] ?? null).filter((v) => v !== null);
    const below = values.filter((v) => v < row[name]).length;
    return values.length > 1 ? below / (values.length - 1) : 0;
  }

  /** Choose an item; `aloud` where a person wants to hear it. */
  choose(id, aloud = false) {
    const row = this.get(id);
    if (!row) return;
    this.chosen = row;
    this.#emit("choose", { aloud });
  }

  mark(row) {
    this.marked = row;
    this.#emit("mark");
  }

  filter(changes) {
    this.filters = { ...this.filters, ...changes };
    this.#shown = null;
    this.#emit("filter");
  }

  #emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  on(names, work) {
    for (const name of names.split(" ")) this.addEventListener(name, (event) => work(event.detail));
  }
}
