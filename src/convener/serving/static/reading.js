/* A reading: documents with entities that can be corrected by mouse or keyboard, and downloaded. */

const SHOWN = 200;

class Reading {
  constructor(place) {
    this.place = place;
    this.documents = [];
    this.shown = SHOWN;
    this.past = [];
    this.types = [];
    this.nests = true;
    place.addEventListener("click", (event) => this.pointed(event));
    place.addEventListener("keydown", (event) => this.typed(event));
  }

  show(documents, types = [], nests = true) {
    Object.assign(this, { documents, types, nests, shown: SHOWN, past: [] });
    this.draw();
  }

  get entities() {
    return this.documents.flatMap((doc) => doc.entities);
  }

  draw() {
    if (!this.documents.length) return this.place.replaceChildren();
    this.texts = this.documents.slice(0, this.shown).map((doc, number) => this.text(doc, number));
    const more = this.documents.length - this.texts.length;
    this.undo = make("button", { type: "button", onclick: () => this.back() }, "Undo");
    this.top = make("div");
    this.place.replaceChildren(
      this.top,
      make("p", { class: "quiet hint" }, "Select words to name an entity, click one to change it. Keys: arrows move by word, Shift extends, Enter names, Delete removes."),
      ...this.texts,
      make("p", { class: "row" },
        ...(more > 0 ? [make("button", { type: "button", onclick: () => this.more() }, `Show ${Math.min(more, SHOWN)} more of ${more}`)] : []),
        make("button", { type: "button", class: "save", onclick: () => this.save() }, "Download as JSON Lines"),
        this.undo));
    this.count();
  }

  count() {
    this.top.replaceChildren(legend(this.entities));
    this.undo.disabled = !this.past.length;
  }

  more() {
    this.shown += SHOWN;
    this.draw();
  }

  text(doc, number) {
    const element = make("p", { class: "text", dir: "auto", lang: "", tabindex: "0", role: "group", "aria-label": `Text ${number + 1}` });
    element.dataset.number = number;
    this.fill(element, doc);
    return element;
  }

  fill(element, doc) {
    element.replaceChildren(...drawn(doc, (mark, entity, last) => {
      mark.dataset.entity = doc.entities.indexOf(entity);
      if (!last) return;
      mark.tabIndex = 0;
      mark.setAttribute("role", "group");
      mark.setAttribute("aria-label", `${surface(doc, entity)}: ${described(entity)}`);
    }));
  }

  of(node) {
    const element = (node instanceof Element ? node : node?.parentElement)?.closest(".text");
    return element && this.place.contains(element) ? { element, doc: this.documents[element.dataset.number] } : null;
  }

  pointed(event) {
    const at = this.of(event.target);
    if (!at) return;
    const span = selected(at.element, at.doc);
    const mark = event.target.closest("mark");
    if (span) this.name(at, span);
    else if (mark) this.change(at, at.doc.entities[mark.dataset.entity], mark);
  }

  typed(event) {
    const at = this.of(event.target);
    if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) return this.back();
    if (!at || event.ctrlKey || event.metaKey || event.altKey) return;
    const mark = event.target.closest("mark");
    const entity = mark && at.doc.entities[mark.dataset.entity];
    const steps = { ArrowRight: 1, ArrowLeft: -1 };
    if (entity && (event.key === "Delete" || event.key === "Backspace")) this.set(at, [entity], null);
    else if (entity && event.key === "Enter") this.change(at, entity, mark);
    else if (event.key === "Enter") this.name(at, selected(at.element, at.doc));
    else if (event.key in steps) step(at.element, steps[event.key], event.shiftKey);
    else return;
    event.preventDefault();
  }

  name(at, span) {
    if (!span) return say("Select some words first: the arrow keys move by word, Shift extends.");
    choose({
      title: surface(at.doc, span),
      types: this.all(),
      at: getSelection().getRangeAt(0).getBoundingClientRect(),
      take: (label) => this.set(at, [], { ...span, label }),
      back: () => at.element.focus(),
    });
  }

  change(at, entity, mark) {
    choose({
      title: surface(at.doc, entity),
      current: entity.label,
      types: this.all(),
      at: mark.getBoundingClientRect(),
      take: (label) => label !== entity.label && this.set(at, [entity], label && { start: entity.start, end: entity.end, label }),
      back: () => at.element.querySelector(`mark[data-entity="${at.doc.entities.indexOf(entity)}"]`)?.focus(),
    });
  }

  all() {
    return [...new Set([...this.types, ...this.entities.map((entity) => entity.label)])];
  }

  /* Take old entities away and put a new one in; those that can't stand beside it go too. */
  set({ element, doc }, old, fresh) {
    const bars = (entity) => {
      if (!fresh || entity.end <= fresh.start || fresh.end <= entity.start) return false;
      const holds = (a, b) => a.start <= b.start && b.end <= a.end;
      return !this.nests || !(holds(entity, fresh) || holds(fresh, entity)) || (entity.label === fresh.label && holds(entity, fresh) && holds(fresh, entity));
    };
    this.past.push({ number: element.dataset.number, entities: doc.entities });
    const kept = doc.entities.filter((entity) => !old.includes(entity) && !bars(entity));
    doc.entities = fresh ? [...kept, fresh].sort(inOrder) : kept;
    getSelection().removeAllRanges();
    this.fill(element, doc);
    this.count();
    const shown = fresh ? `${surface(doc, fresh)} is now ${fresh.label}.` : `${surface(doc, old[0])} is no entity any more.`;
    say(shown);
    (element.querySelector(fresh ? `mark[data-entity="${doc.entities.indexOf(fresh)}"]` : "none") ?? element).focus();
  }

  back() {
    const last = this.past.pop();
    if (!last) return;
    const doc = this.documents[last.number];
    doc.entities = last.entities;
    if (this.texts[last.number]) this.fill(this.texts[last.number], doc);
    this.count();
    say("Undone.");
  }

  save() {
    const items = this.documents.map((doc) => ({
      ...doc.item,
      text: doc.text,
      entities: doc.entities.map(({ text, ...entity }) => entity),
      types: doc.item.types && [...new Set([...doc.item.types, ...doc.entities.map(({ label }) => label)])],
    }));
    download("corrected.jsonl", items.map(asLine).join(""));
    this.past = [];
    this.count();
    say(`${counted(items.length, "document", "documents")} downloaded.`);
  }
}
