/* Elements: made by hand, so that nothing that a user wrote is ever read as HTML. */

const $ = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

let saying;

/* Tell the user, and those who listen; what is not wrong goes away by itself. */
function say(message, wrong = false) {
  clearTimeout(saying);
  if (message && !wrong) saying = setTimeout(() => say(""), 6000);
  $("status").textContent = message;
  $("status").classList.toggle("wrong", wrong);
}

const HUES = [255, 150, 40, 320, 95, 200, 10, 285, 120, 225];
const hues = new Map();

function hue(label) {
  if (!hues.has(label)) hues.set(label, (HUES[hues.size % HUES.length] + 17 * Math.floor(hues.size / HUES.length)) % 360);
  return hues.get(label);
}

function coloured(element, label) {
  element.style.setProperty("--hue", hue(label));
  return element;
}

const counted = (count, one, more) => `${count} ${count === 1 ? one : more}`;

const percent = (score) => `${Math.round(100 * score)} %`;

function described({ label, score }) {
  return score == null ? label : `${label}, ${percent(score)}`;
}

/* Entities as parts that lie inside one another: one that crosses another is cut at its edge. */
function nested(entities) {
  const waiting = entities.map((entity) => ({ entity, start: entity.start, end: entity.end, label: entity.label, last: true }));
  const root = { end: Infinity, children: [] };
  const open = [root];
  waiting.sort(inOrder);
  while (waiting.length) {
    const part = waiting.shift();
    while (open.at(-1).end <= part.start) open.pop();
    const around = open.at(-1);
    if (part.end > around.end) {
      waiting.push({ ...part, start: around.end });
      waiting.sort(inOrder);
      Object.assign(part, { end: around.end, last: false });
    }
    part.children = [];
    around.children.push(part);
    open.push(part);
  }
  return root.children;
}

/* A text with its entities; `mark` may add to the element of an entity. */
function drawn(doc, mark = () => {}) {
  const between = (start, end) => doc.text.slice(doc.offsets.unit(start), doc.offsets.unit(end));
  const inside = (parts, start, end) => {
    const nodes = [];
    for (const part of parts) {
      nodes.push(between(start, part.start));
      const element = make("mark", {}, ...inside(part.children, part.start, part.end));
      coloured(element, part.label);
      if (part.last) {
        element.dataset.label = part.label;
        if (part.entity.score != null) element.dataset.score = Math.round(100 * part.entity.score);
        element.title = described(part.entity);
      }
      mark(element, part.entity, part.last);
      nodes.push(element);
      start = part.end;
    }
    return [...nodes, between(start, end)];
  };
  return inside(nested(doc.entities), 0, doc.offsets.point(doc.text.length));
}

/* The types of some entities with their colours and how many there are. */
function legend(entities) {
  const counts = new Map();
  for (const { label } of entities) counts.set(label, (counts.get(label) ?? 0) + 1);
  const types = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return make("ul", { class: "legend", role: "list", "aria-label": "Types" },
    ...types.map(([label, count]) => coloured(make("li", {}, make("b", {}, label), ` ${count}`), label)));
}

function download(name, content) {
  const url = URL.createObjectURL(new Blob([content], { type: "application/jsonl" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/* Runs an action of a button: it can't be pressed twice, and what goes wrong is said. */
function on(id, event, action) {
  $(id).addEventListener(event, async (happened) => {
    if (event === "submit") happened.preventDefault();
    const button = event === "submit" ? $(id).querySelector("[type=submit]") : $(id);
    button.disabled = event !== "change";
    try {
      await action(happened);
    } catch (error) {
      say(error.message, true);
    } finally {
      button.disabled = false;
    }
  });
}
