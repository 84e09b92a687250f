/* The server: its models, and questions to them in parts that it accepts. */

let known = { models: [], texts: 1, characters: 1 };

const chosen = () => known.models.find((model) => model.name === $("model").value) ?? known.models[0];

async function answer(path, body) {
  const headers = { "Content-Type": "application/json" };
  if ($("token").value) headers.Authorization = `Bearer ${$("token").value}`;
  const options = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
  for (let attempt = 0; ; attempt++) {
    let response;
    try {
      response = await fetch(path, options);
    } catch {
      throw new Error("The server does not answer. Is it still running?");
    }
    if (response.status === 429 && attempt < 5) {
      const seconds = Number(response.headers.get("Retry-After") ?? 1);
      await new Promise((done) => setTimeout(done, 1000 * seconds));
      continue;
    }
    if (response.status === 401) {
      $("token-form").hidden = false;
      $("token").focus();
    }
    const content = await response.json();
    if (!response.ok) throw new Error(content.error);
    return content;
  }
}

async function meet() {
  known = await answer("v1/models");
  $("model").replaceChildren(...known.models.map(({ name }) => make("option", { value: name }, name)));
  for (const { labels } of known.models) labels.forEach(hue);
  $("model").dispatchEvent(new Event("change"));
}

const PART = { texts: 32, characters: 20000 };

/* Documents from a place on that are asked for together: so many as are answered soon, one at least. */
function part(documents, begin) {
  let end = begin;
  let characters = 0;
  do characters += documents[end++].text.length;
  while (end < documents.length && end - begin < Math.min(PART.texts, known.texts) && characters + documents[end].text.length <= PART.characters);
  return documents.slice(begin, end);
}

/* Sends texts in parts; `take` gets each answer with the number of its first text. */
async function inParts(documents, path, body, take) {
  for (let begin = 0; begin < documents.length; ) {
    const texts = part(documents, begin).map((doc) => doc.text);
    if (documents.length > texts.length) say(`${begin} of ${documents.length} documents read …`);
    take(await answer(path, { ...body, texts }), begin);
    begin += texts.length;
  }
}
