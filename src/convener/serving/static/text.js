"use strict";
/* Documents: text with entities whose offsets count code points, where strings count UTF-16 units. */

function offsetsOf(text) {
  if (!/[\ud800-\udbff]/.test(text)) return { unit: (point) => point, point: (unit) => unit };
  const starts = [];
  for (let unit = 0; unit < text.length; unit += text.codePointAt(unit) > 0xffff ? 2 : 1) {
    starts.push(unit);
  }
  starts.push(text.length);
  const points = new Map(starts.map((unit, point) => [unit, point]));
  return { unit: (point) => starts[point], point: (unit) => points.get(unit) ?? points.get(unit - 1) };
}

function asDocument(item) {
  const text = item.text.toWellFormed();
  const offsets = offsetsOf(text);
  const length = offsets.point(text.length);
  for (const { start, end, label } of item.entities ?? []) {
    const whole = Number.isInteger(start) && Number.isInteger(end);
    if (!whole || start < 0 || start >= end || end > length || typeof label !== "string" || !label) {
      throw new Error(`an entity at ${start}-${end} does not lie in its text of ${length} characters`);
    }
  }
  return { item, text, offsets, entities: item.entities ?? [], read: Boolean(item.entities?.length) };
}

function surface(doc, { start, end }) {
  return doc.text.slice(doc.offsets.unit(start), doc.offsets.unit(end));
}

function inOrder(a, b) {
  return a.start - b.start || b.end - a.end || (a.label < b.label ? -1 : a.label > b.label ? 1 : 0);
}

function lines(content) {
  return content.split(/\r?\n/).filter((line) => line.trim());
}

/* A line of JSON, as every tool that reads lines understands it. */
function asLine(item) {
  const escaped = { "\u2028": "\\u2028", "\u2029": "\\u2029" };
  return JSON.stringify(item).replace(/[\u2028\u2029]/g, (found) => escaped[found]) + "\n";
}

/* Documents of a file, or the changes of a patch. */
function contentOf(name, content) {
  const parsed = (line, number) => {
    try {
      const item = JSON.parse(line);
      if (item && typeof item === "object" && !Array.isArray(item)) return item;
    } catch { /* said below */ }
    throw new Error(`${name}, line ${number + 1}: expected a JSON object`);
  };
  const found = lines(content);
  if (!found.length) throw new Error(`${name} is empty`);
  const json = /\.(jsonl|json|ndjson)$/i.test(name) || found[0].trimStart().startsWith("{");
  if (!json) return { documents: found.map((text) => asDocument({ text })) };
  const items = found.map(parsed);
  if ("change" in items[0]) return { changes: items };
  return {
    documents: items.map((item, number) => {
      if (typeof item.text !== "string") {
        throw new Error(`${name}, line ${number + 1}: expected "text", got ${Object.keys(item).join(", ")}`);
      }
      try {
        return asDocument(item);
      } catch (error) {
        throw new Error(`${name}, line ${number + 1}: ${error.message}`);
      }
    }),
  };
}
