/* The review of an audit's patch: each change is accepted or rejected, all else stays as it was. */

let changes = [];

const accepted = (change) => change.accept ?? true;

function inWords({ change, surface, label, to, matches }) {
  const name = make("b", { dir: "auto" }, surface);
  const type = (label) => coloured(make("span", { class: "type" }, label), label);
  if (change === "drop") return ["drop the name ", name, type(label), ` from the dictionary, wrong in most of ${matches} matches`];
  if (change === "exact") return ["match ", name, type(label), " only as it is written, not in lower case"];
  if (change === "replace") return ["replace ", name, type(label), " by ", type(to.label), ` at ${to.start}–${to.end}`];
  return [`${change} `, name, type(label)];
}

function inContext({ context, surface }) {
  const at = context.indexOf(surface);
  if (at < 0) return [context];
  return [context.slice(0, at), make("em", {}, surface), context.slice(at + surface.length)];
}

function drawChange(change, number) {
  const box = make("input", { type: "checkbox", onchange: () => decide(number, box.checked) });
  box.checked = accepted(change);
  const label = make("label", {}, box, " ", make("span", {}, ...inWords(change)));
  if (change.confidence != null) label.append(make("span", { class: "quiet" }, ` ${percent(change.confidence)} sure`));
  const item = make("li", { tabindex: "-1", class: accepted(change) ? "" : "rejected" }, label);
  if (change.context) item.append(make("p", { class: "context", dir: "auto", lang: "" }, ...inContext(change)));
  item.dataset.number = number;
  return item;
}

const CHANGES = 500;

function drawPatch() {
  $("patch-empty").hidden = changes.length > 0;
  $("patch-full").hidden = !changes.length;
  const shown = shownChanges();
  $("changes").replaceChildren(...shown.slice(0, CHANGES).map((number) => drawChange(changes[number], number)));
  if (shown.length > CHANGES) $("changes").append(make("li", { class: "quiet" }, `${shown.length - CHANGES} more follow when these are decided and no longer shown.`));
  countPatch();
}

function shownChanges() {
  const wanted = { all: () => true, accepted, rejected: (change) => !accepted(change) }[$("patch-show").value];
  return [...changes.keys()].filter((number) => wanted(changes[number]));
}

function countPatch() {
  $("patch-count").textContent = `${changes.filter(accepted).length} of ${changes.length} accepted`;
}

function decide(number, accept) {
  changes[number] = { ...changes[number], accept };
  const item = document.querySelector(`#changes [data-number="${number}"]`);
  item.classList.toggle("rejected", !accept);
  item.querySelector("input").checked = accept;
  countPatch();
}

function openPatch(found) {
  const wrong = found.findIndex(({ change, surface, label, to }) =>
    !["remove", "replace", "add", "exact", "drop"].includes(change) || typeof surface !== "string" || typeof label !== "string" || (change === "replace" && !to));
  if (wrong >= 0) throw new Error(`Line ${wrong + 1} is no change of a patch.`);
  changes = found;
  $("patch-show").value = "all";
  drawPatch();
  say(`${changes.length} changes.`);
}

/* Keys: arrows and J, K walk through the changes, Y and N decide and go on. */
function walk(event) {
  if (event.target.closest("select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const items = [...document.querySelectorAll("#changes [data-number]")];
  const now = items.findIndex((item) => item.contains(document.activeElement));
  const keys = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, y: 1, n: 1 };
  if (!(event.key in keys) || !items.length) return;
  if (now >= 0 && "yn".includes(event.key)) decide(Number(items[now].dataset.number), event.key === "y");
  items[Math.min(items.length - 1, Math.max(0, now + keys[event.key]))].focus();
  event.preventDefault();
}
