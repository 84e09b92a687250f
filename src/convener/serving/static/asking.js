/* Questions to a reader: a type and, if the user likes, the question in their own words. */

function questionRow(type = "", question = "") {
  const row = make("p", { class: "question row" },
    make("label", {}, "Type ", make("input", { name: "type", required: true, maxlength: "100", size: "14", value: type })),
    make("label", { class: "grow" }, "Question ", make("input", { name: "question", value: question, placeholder: "made from the type if left open" })),
    make("button", { type: "button", "aria-label": "Leave this type out", onclick: () => {
      row.remove();
      if (!$("ask-rows").children.length) $("ask-rows").append(questionRow());
    } }, "✕"));
  return row;
}

function offerQuestions() {
  const model = chosen();
  const asks = Boolean(model?.asks);
  $("ask-form").hidden = !asks;
  $("ask-note").textContent = model?.kind === "generators"
    ? "Name a type that this language model was never trained on. It is asked for the type by its name; the wording of a question is not read."
    : asks
    ? "Name a type that this reader was never trained on, and ask for it in your own words. Whether the answer is any good is for you to see."
    : "This model knows its own types alone. A reader trained with --model reader --set reader.heads=shared can be asked about others.";
  const own = Object.entries(model?.questions ?? {});
  $("ask-rows").replaceChildren(...(own.length ? own : [["", ""]]).map((pair) => questionRow(...pair)));
}

function asked() {
  const questions = {};
  for (const row of $("ask-rows").children) {
    const [type, question] = [...row.querySelectorAll("input")].map((input) => input.value.trim());
    if (type in questions) throw new Error(`${type} is asked for twice: leave one out`);
    questions[type] = question || null;
  }
  return questions;
}
