/* Experts side by side: what each says, and where they differ. */

const key = ({ start, end, label }) => `${start} ${end} ${label}`;

/* Opinions of all models on the documents: [{name, labels, documents}]. */
async function opinions(documents) {
  const found = [];
  for (const { name, labels } of known.models) {
    const first = found.length;
    await inParts(documents, "v1/experts", { model: name }, (content) => {
      content.opinions.forEach(({ expert, documents: read }, number) => {
        const whole = known.models.length > 1 ? (content.opinions.length > 1 ? `${name}, ${expert}` : name) : expert;
        found[first + number] ??= { name: whole, labels, documents: [] };
        found[first + number].documents.push(...read);
      });
    });
  }
  return found;
}

/* What anybody found in a document, with the score by each, null of what has none; `same` where all agree who know the type. */
function views(found, number) {
  const rows = new Map();
  found.forEach(({ documents }, opinion) => {
    for (const entity of documents[number].entities) {
      if (!rows.has(key(entity))) rows.set(key(entity), { ...entity, by: [] });
      rows.get(key(entity)).by[opinion] = entity.score;
    }
  });
  return [...rows.values()].sort(inOrder).map((row) => ({ ...row, same: found.every(({ labels }, opinion) => row.by[opinion] !== undefined || !labels.includes(row.label)) }));
}

function compared(doc, found, number, rows) {
  const columns = found.map(({ name, documents }) => make("div", { class: "opinion" },
    make("h3", {}, name),
    make("p", { class: "text", dir: "auto", lang: "" }, ...drawn({ ...doc, entities: documents[number].entities }))));
  const head = ["Entity", "Type", ...found.map(({ name }) => name)];
  const cell = (row, { labels }, opinion) => {
    if (row.by[opinion] !== undefined) return make("td", {}, row.by[opinion] === null ? "found" : percent(row.by[opinion]));
    return labels.includes(row.label) ? make("td", { class: "absent" }, "not found") : make("td", { class: "quiet" }, "not its type");
  };
  const table = make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...rows.map((row) => make("tr", { class: row.same ? "" : "differs" },
      make("th", { scope: "row", dir: "auto" }, surface(doc, row)),
      make("td", {}, coloured(make("span", { class: "type" }, row.label), row.label)),
      ...found.map((one, opinion) => cell(row, one, opinion))))));
  return make("article", { class: "compared" },
    make("div", { class: "columns" }, ...columns),
    ...(rows.length ? [make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `Entities of text ${number + 1} by expert` }, table)] : []));
}

let comparison = { documents: [], found: [] };

function drawComparison() {
  const { documents, found } = comparison;
  const all = documents.map((_, number) => views(found, number));
  const rows = all.flat();
  const differ = all.map((views, number) => number).filter((number) => all[number].some((row) => !row.same));
  const shown = ($("only").checked ? differ : [...documents.keys()]).slice(0, SHOWN);
  $("compare-summary").textContent = found.length < 2
    ? "There is one expert alone, so there is nothing to compare: serve a panel, or several models."
    : `All agree on ${rows.filter((row) => row.same).length} of ${rows.length} entities; they differ on ${differ.length} of ${documents.length} texts.`;
  $("opinions").replaceChildren(...shown.map((number) => compared(documents[number], found, number, all[number])));
}
