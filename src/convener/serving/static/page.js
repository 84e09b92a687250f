/* What happens on the page: tabs, text and files in, buttons. */

const TABS = ["read", "compare", "ask", "patch"];
const EXAMPLE = "Margaret Atwood was born in Ottawa and studied at the University of Toronto.\nIn May the airline Lufthansa ordered twenty jets from Airbus.";
const readings = { read: new Reading($("read-reading")), ask: new Reading($("ask-reading")) };
let opened = null;

function turn(to) {
  for (const name of TABS) {
    const tab = $(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === to));
    tab.tabIndex = name === to ? 0 : -1;
    $(name).hidden = name !== to;
  }
  $("source").hidden = to === "patch";
  $("model-field").hidden = to === "compare" || to === "patch";
}

function input() {
  if (opened) return opened.documents;
  return lines($("text").value).map((text) => asDocument({ text }));
}

function texts() {
  const documents = input();
  if (!documents.length) throw new Error("Paste some text or open a file first.");
  const long = documents.findIndex((doc) => doc.offsets.point(doc.text.length) > known.characters);
  if (long >= 0) throw new Error(`Document ${long + 1} has more than ${known.characters} characters: cut it into lines.`);
  return documents;
}

async function open(file) {
  const found = contentOf(file.name, new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()));
  if (found.changes) {
    turn("patch");
    return openPatch(found.changes);
  }
  const labelled = found.documents.some((doc) => doc.read);
  if (labelled && !mayReplace(readings.read)) return;
  opened = { name: file.name, documents: found.documents };
  showSource();
  if (labelled) {
    turn("read");
    readings.read.show(found.documents, chosen()?.labels, true);
    say(`${file.name} has labels already: correct them, or find entities anew.`);
  }
}

async function openSafely(file) {
  try {
    await open(file);
  } catch (error) {
    say(error instanceof TypeError ? `${file.name}: expected text in UTF-8` : error.message, true);
  }
}

function showSource() {
  $("text").hidden = Boolean(opened);
  $("file").hidden = !opened;
  $("file-name").textContent = opened?.name ?? "";
  $("size").textContent = opened ? counted(opened.documents.length, "document", "documents") : "";
}

/* Whether what was corrected and not downloaded may give way to another reading. */
const mayReplace = (reading) => !reading.past.length || confirm("Corrections that were not downloaded are lost. Go on?");

/* Reads all documents by some questions of the server and shows what it found. */
async function read(reading, path, body, types) {
  if (!mayReplace(reading)) return;
  const anew = { entities: [], types: undefined, unknown: undefined };
  const documents = texts().map((doc) => asDocument({ ...doc.item, text: doc.text, ...anew }));
  await inParts(documents, path, { ...body, model: chosen().name }, (content, begin) => {
    content.documents.forEach(({ entities }, number) => (documents[begin + number].entities = entities));
  });
  reading.show(documents, types, chosen().nested);
  say(`${counted(reading.entities.length, "entity", "entities")} in ${counted(documents.length, "document", "documents")}.`);
}

on("read-go", "click", () => read(readings.read, "v1/predict", { threshold: Number($("threshold").value) / 100 }, chosen().labels));
on("ask-form", "submit", () => {
  const questions = asked();
  return read(readings.ask, "v1/ask", { questions }, Object.keys(questions));
});
on("compare-go", "click", async () => {
  const documents = texts();
  comparison = { documents, found: await opinions(documents) };
  drawComparison();
  say("");
});
on("only", "change", () => drawComparison());
on("ask-more", "click", () => $("ask-rows").appendChild(questionRow()).querySelector("input").focus());
on("example", "click", () => {
  opened = null;
  $("text").value = EXAMPLE;
  showSource();
});
on("file-close", "click", () => {
  opened = null;
  showSource();
  $("text").focus();
});
on("model", "change", offerQuestions);
on("token-form", "submit", async () => {
  await meet();
  $("token-form").hidden = true;
  say("");
});
on("patch-show", "change", drawPatch);
on("patch-accept", "click", () => shownChanges().forEach((number) => (changes[number] = { ...changes[number], accept: true })) ?? drawPatch());
on("patch-reject", "click", () => shownChanges().forEach((number) => (changes[number] = { ...changes[number], accept: false })) ?? drawPatch());
on("patch-save", "click", () => download("patch.jsonl", changes.map(asLine).join("")));
for (const id of ["open", "patch-open", "patch-again"]) {
  on(id, "change", async (event) => {
    await openSafely(event.target.files[0]);
    event.target.value = "";
  });
}
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) document.querySelector("[role=tabpanel]:not([hidden]) .first")?.click();
});
$("patch").addEventListener("keydown", walk);
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", () => document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const file = event.dataTransfer.files[0];
  if (file) openSafely(file);
});
addEventListener("beforeunload", (event) => {
  if (Object.values(readings).some((reading) => reading.past.length)) event.preventDefault();
});
for (const name of TABS) {
  $(`tab-${name}`).addEventListener("click", () => turn(name));
  $(`tab-${name}`).addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    const to = TABS[(TABS.indexOf(name) + move + TABS.length) % TABS.length];
    turn(to);
    $(`tab-${to}`).focus();
  });
}
turn("read");
meet().catch((error) => say(error.message, true));
