// What a person says to the session, by button or by key.

import { $, el } from "./dom.js";
import { say } from "./wire.js";

/** Name (also of its symbol), key, label, what it does. */
export const ACTS = [
  ["like", "l", "Like", "More in this direction is worth more"],
  ["dislike", "d", "Dislike", "What resembles it is worth less"],
  ["pin", "p", "Pin", "Keep it at hand"],
  ["more", "m", "More", "More like this, in the next round"],
  ["away", "a", "Away", "Away from this"],
  ["blend", "b", "Blend", "Blend two: mark this one, then choose another"],
  ["prompt", "e", "Edit", "Edit the prompt and try it"],
  ["hide", "h", "Hide", "Take it out of sight"],
];

const ANSWERS = {
  like: "Liked: the search leans towards it",
  dislike: "Disliked: the search leans away from it",
  pin: "Pinned",
  unpin: "Unpinned",
  more: "More like this is asked for",
  away: "Away from this, from the next round on",
  hide: "Hidden",
  stop: "The explorer stops after the round at hand",
  prompt: "Asked for, in the next round",
  blend: "A blend of the two is asked for",
  prefer: "Noted which is better",
};

export class Acts {
  #store;
  #grid;
  #fading = 0;

  constructor(store, grid) {
    this.#store = store;
    this.#grid = grid;
    store.on("mark choose", () => this.#pair());
    $("#stop").addEventListener("click", () => this.#say("stop"));
    const edit = $("#edit");
    edit.addEventListener("close", () => {
      const prompt = $("textarea", edit).value;
      if (edit.returnValue === "send" && prompt.trim()) this.#say("prompt", { id: edit.dataset.id, prompt });
    });
    $("textarea", edit).addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        edit.querySelector("[value=send]").click();
      }
    });
  }

  run(name, row = this.#store.chosen) {
    if (!row) return this.toast("Choose an item first");
    if (name === "blend") return this.#blend(row);
    if (name === "prompt") return this.#edit(row);
    if (name === "hide") {
      this.#grid.step(1, 0);
    }
    return this.#say(name === "pin" && row.pinned ? "unpin" : name, { id: row.id });
  }

  #blend(row) {
    const { marked } = this.#store;
    if (!marked) return this.#store.mark(row);
    this.#store.mark(null);
    if (marked !== row) this.#say("blend", { ids: [marked.id, row.id] });
  }

  #edit(row) {
    const edit = $("#edit");
    edit.dataset.id = row.id;
    edit.returnValue = "";
    $("textarea", edit).value = row.prompt;
    edit.showModal();
    $("textarea", edit).select();
  }

  /** The bar that waits for a second item. */
  #pair() {
    const { marked, chosen } = this.#store;
    const bar = $("#pair");
    bar.hidden = !marked;
    if (!marked) return;
    const two = chosen && chosen !== marked;
    const button = (label, work, main = false) => {
      const made = el("button", { type: "button", class: main ? "main" : "", disabled: !two && work !== this.cancel }, label);
      made.addEventListener("click", () => work());
      return made;
    };
    bar.replaceChildren(
      marked.poster ? el("img", { src: marked.poster, alt: "" }) : el("span"),
      two && chosen.poster ? el("img", { src: chosen.poster, alt: "" }) : el("span", { class: "hole" }),
      el("span", { class: "words" }, two ? "These two" : "Choose another to go with it"),
      button("Blend", () => this.#blend(chosen), true),
      button("First is better", () => this.#prefer(marked, chosen)),
      button("Cancel", this.cancel),
    );
  }

  cancel = () => this.#store.mark(null);

  #prefer(better, other) {
    this.#store.mark(null);
    this.#say("prefer", { id: better.id, over: other.id });
  }

  async #say(kind, fields = {}) {
    try {
      await say(kind, fields);
      this.toast(ANSWERS[kind]);
    } catch (error) {
      this.toast(`Not done: ${error.message}`, true);
    }
  }

  toast(text, wrong = false) {
    const box = $("#toast");
    box.textContent = text;
    box.className = wrong ? "shown wrong" : "shown";
    clearTimeout(this.#fading);
    this.#fading = setTimeout(() => (box.className = ""), wrong ? 6000 : 2200);
  }
}
