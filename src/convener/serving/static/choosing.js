/* Selections by word, and the small window in which the type of an entity is chosen. */

const WORD = /[\p{L}\p{M}\p{N}]+(?:['’.\-][\p{L}\p{M}\p{N}]+)*|[^\s\p{L}\p{M}\p{N}]/gu;

/* UTF-16 offset of a place in an element, whose text nodes hold the text and nothing else. */
function unitAt(element, node, offset) {
  const before = document.createRange();
  before.setStart(element, 0);
  before.setEnd(node, offset);
  return before.toString().length;
}

/* What is selected in a text, without blanks at its edges, in code points; null if nothing is. */
function selected(element, doc) {
  const selection = getSelection();
  if (selection.isCollapsed || !selection.rangeCount) return null;
  const range = selection.getRangeAt(0);
  if (!element.contains(range.startContainer) || !element.contains(range.endContainer)) return null;
  let [start, end] = [unitAt(element, range.startContainer, range.startOffset), unitAt(element, range.endContainer, range.endOffset)];
  while (start < end && /\s/.test(doc.text[start])) start++;
  while (start < end && /\s/.test(doc.text[end - 1])) end--;
  return start < end ? { start: doc.offsets.point(start), end: doc.offsets.point(end) } : null;
}

/* The text node and offset at a UTF-16 offset. */
function placeAt(element, unit) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let node, last = element;
  while ((node = walker.nextNode())) {
    if (unit <= node.length) return [node, unit];
    unit -= node.length;
    last = node;
  }
  return [last, last.length ?? 0];
}

/* Move the selection to the next or last word, or extend it by one. */
function step(element, direction, extend) {
  const words = [...element.textContent.matchAll(WORD)].map((found) => [found.index, found.index + found[0].length]);
  if (!words.length) return;
  const selection = getSelection();
  const inside = selection.rangeCount && element.contains(selection.anchorNode) && element.contains(selection.focusNode) && !selection.isCollapsed;
  let anchor, focus;
  if (inside) {
    const ends = [[selection.anchorNode, selection.anchorOffset], [selection.focusNode, selection.focusOffset]];
    const [a, f] = ends.map(([node, offset]) => unitAt(element, node, offset));
    const [low, high] = [Math.min(a, f), Math.max(a, f)];
    const first = Math.max(0, words.findIndex(([, end]) => end > low));
    const last = words.findLastIndex(([start]) => start < high);
    [anchor, focus] = a <= f ? [first, last] : [last, first];
    focus = Math.min(words.length - 1, Math.max(0, focus + direction));
    if (!extend) anchor = focus;
  } else {
    anchor = focus = direction > 0 ? 0 : words.length - 1;
  }
  const forward = focus >= anchor;
  const from = placeAt(element, words[anchor][forward ? 0 : 1]);
  const to = placeAt(element, words[focus][forward ? 1 : 0]);
  selection.setBaseAndExtent(...from, ...to);
  say(selection.toString());
}

/* Ask for a type: buttons with numbers as keys, a field for another type, and removal. */
function choose({ title, current, types, at, take, back }) {
  const chooser = $("chooser");
  let done = false;
  const close = (label) => {
    done = true;
    chooser.hidePopover();
    if (label !== undefined) take(label);
    else back();
  };
  const other = make("input", { type: "text", "aria-label": "Another type", placeholder: "Another type", size: "14" });
  const buttons = types.map((label, number) => coloured(
    make("button", { type: "button", class: "type", "aria-pressed": String(label === current), onclick: () => close(label) },
      ...(number < 9 ? [make("kbd", { "aria-hidden": "true" }, String(number + 1)), " "] : []), label), label));
  chooser.replaceChildren(
    make("p", { class: "title", dir: "auto" }, title),
    make("div", { class: "types" }, ...buttons),
    make("form", { class: "row", onsubmit: (event) => {
      event.preventDefault();
      if (other.value.trim()) close(other.value.trim());
    } }, other, make("button", { type: "submit" }, "Use"),
    ...(current ? [make("button", { type: "button", class: "remove", onclick: () => close(null) }, "Remove")] : [])));
  chooser.onkeydown = (event) => {
    if (event.target === other) return;
    if (current && (event.key === "Delete" || event.key === "Backspace")) close(null);
    else if (buttons[Number(event.key) - 1] && Number(event.key) <= 9) close(types[Number(event.key) - 1]);
    else return;
    event.preventDefault();
  };
  chooser.ontoggle = (event) => {
    if (event.newState === "closed" && !done) back();
  };
  chooser.showPopover();
  const left = Math.min(at.left, innerWidth - chooser.offsetWidth - 8);
  const below = at.bottom + chooser.offsetHeight + 8 < innerHeight || at.top < chooser.offsetHeight + 8;
  chooser.style.left = `${scrollX + Math.max(8, left)}px`;
  chooser.style.top = `${scrollY + (below ? at.bottom + 6 : at.top - chooser.offsetHeight - 6)}px`;
  (buttons[Math.max(0, types.indexOf(current))] ?? other).focus({ preventScroll: true });
}
