// The form above the grid.

import { $, el } from "./dom.js";
import { OPEN } from "./store.js";

export class Filters {
  #store;
  #form = $("#filters");
  #known = "";

  constructor(store) {
    this.#store = store;
    const { elements } = this.#form;
    this.#form.addEventListener("input", () => this.#read());
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("reset", (event) => {
      event.preventDefault();
      store.filter({ ...OPEN, sort: store.filters.sort });
    });
    store.on("filter", () => this.#write(elements));
    store.on("change filter", () => this.#count());
  }

  #read() {
    const { elements } = this.#form;
    const round = (text) => (/^\d+$/.test(text) ? Number(text) : null);
    this.#store.filter({
      sort: elements.sort.value,
      text: elements.text.value.trim().toLowerCase(),
      operator: elements.operator.value,
      quality: Number(elements.quality.value),
      from: round(elements.from.value),
      to: round(elements.to.value),
      liked: elements.liked.checked,
      pinned: elements.pinned.checked,
    });
  }

  #write(elements) {
    const f = this.#store.filters;
    elements.sort.value = f.sort;
    if (elements.text.value.trim().toLowerCase() !== f.text) elements.text.value = f.text;
    elements.operator.value = f.operator;
    elements.quality.value = f.quality;
    $("output", this.#form).textContent = f.quality ? `≥ ${f.quality.toFixed(2)}` : "any";
    elements.from.value = f.from ?? "";
    elements.to.value = f.to ?? "";
    elements.liked.checked = f.liked;
    elements.pinned.checked = f.pinned;
    $("[type=reset]", this.#form).hidden = !this.#store.filtered;
  }

  #count() {
    const all = this.#store.items.size.toLocaleString("en");
    const shown = this.#store.shown.length.toLocaleString("en");
    $("#count").textContent = this.#store.filtered ? `${shown} of ${all}` : `${all} items`;
    const names = this.#store.operators();
    if (names.join() === this.#known) return;
    this.#known = names.join();
    const select = this.#form.elements.operator;
    const options = names.map((name) => el("option", { value: name }, name));
    select.replaceChildren(el("option", { value: "" }, "any"), ...options);
    select.value = this.#store.filters.operator;
  }

  focus() {
    this.#form.elements.text.focus();
  }
}
