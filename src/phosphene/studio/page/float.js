// The preview that follows the pointer over the map.

import { $, el, short } from "./dom.js";
import { drop, silent } from "./clip.js";

export class Float {
  #box = $("#float");
  #row = null;

  show(row, x, y) {
    if (row !== this.#row) {
      this.hide();
      this.#row = row;
      const words = row.prompt || row.operator;
      this.#box.append(
        silent(row),
        el("p", {}, el("b", {}, row.operator), ` · quality ${short(row.quality)}`),
        el("p", { class: "words" }, words),
      );
      this.#box.hidden = false;
    }
    const { offsetWidth: width, offsetHeight: height } = this.#box;
    const left = x + 24 + width > innerWidth ? x - 24 - width : x + 24;
    const top = Math.max(8, Math.min(innerHeight - height - 8, y - height / 2));
    this.#box.style.transform = `translate(${Math.max(8, left)}px, ${top}px)`;
  }

  hide() {
    if (!this.#row) return;
    this.#row = null;
    drop($("video", this.#box));
    this.#box.hidden = true;
    this.#box.replaceChildren();
  }
}
