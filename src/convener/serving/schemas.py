"""Requests and answers as JSON. Offsets count Unicode code points, ends are exclusive."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from convener.text.documents import Document

_TEXT = "Aspirin relieved the headache."
_FOUND: dict[str, JsonValue] = {
    "start": 0,
    "end": 7,
    "label": "DRUG",
    "score": 0.98,
    "text": "Aspirin",
}


def _example(example: dict[str, JsonValue]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


def _request(example: dict[str, JsonValue]) -> ConfigDict:
    return _example(example) | ConfigDict(extra="forbid", strict=True)


def _sound(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"expected whole characters, half of one at {error.start}") from None
    return text


Sound = Annotated[str, AfterValidator(_sound)]
Label = Annotated[Sound, Field(min_length=1, max_length=100)]


class Texts(BaseModel):
    """Texts, and which model is to read them; its name may be left out where there is only one."""

    model_config = _request({"texts": [_TEXT], "model": "drug-ner"})

    texts: list[Sound] = Field(min_length=1)
    model: str | None = None


class Predict(Texts):
    """Texts; entities of a lower score than `threshold` are left out, with `flat` also overlaps."""

    model_config = _request({"texts": [_TEXT], "threshold": 0.5})

    threshold: float = Field(default=0.0, ge=0, le=1, allow_inf_nan=False)
    flat: bool = False


class Ask(Texts):
    """Texts, and questions by type; one that is null is made from the name of its type."""

    model_config = _request(
        {"texts": [_TEXT], "questions": {"DRUG": "Which words name a medicine?", "SYMPTOM": None}}
    )

    questions: dict[Label, Sound | None] = Field(min_length=1)


class Found(BaseModel):
    """An entity: `text` is what stands between its offsets."""

    model_config = _example(_FOUND)

    start: int
    end: int
    label: str
    score: float | None
    text: str


class Read(BaseModel):
    """The entities of one text."""

    entities: list[Found]

    @classmethod
    def of(cls, document: Document) -> Self:
        """What a document holds."""
        return cls.model_construct(
            entities=[
                Found.model_construct(
                    start=e.start,
                    end=e.end,
                    label=e.label,
                    score=e.score,
                    text=document.surface(e),
                )
                for e in document.entities
            ]
        )


class Answers(BaseModel):
    """The entities of each text, in order."""

    model_config = _example({"model": "drug-ner", "documents": [{"entities": [_FOUND]}]})

    model: str
    documents: list[Read]

    @classmethod
    def of(cls, model: str, documents: Iterable[Document]) -> Self:
        """What a model found."""
        return cls.model_construct(model=model, documents=[Read.of(d) for d in documents])


class Asked(Answers):
    """The entities of each text, and the questions as they were asked."""

    model_config = _example(
        {
            "model": "drug-ner",
            "questions": {"DRUG": "Which words name a medicine?"},
            "documents": [{"entities": [_FOUND]}],
        }
    )

    questions: dict[str, str]


class Opinion(BaseModel):
    """What one expert, or all of them together, found in each text."""

    expert: str
    documents: list[Read]


class Opinions(BaseModel):
    """What a model finds, and what each of its experts would find alone if it has several."""

    model_config = _example(
        {
            "model": "drug-ner",
            "opinions": [
                {"expert": "together", "documents": [{"entities": [_FOUND]}]},
                {"expert": "expert 1", "documents": [{"entities": [_FOUND]}]},
                {"expert": "expert 2", "documents": [{"entities": []}]},
            ],
        }
    )

    model: str
    opinions: list[Opinion]


class Model(BaseModel):
    """A model of the server.

    `asks` tells whether it can be asked about other types, `nested` whether its entities may lie
    inside one another.
    """

    model_config = _example(
        {
            "name": "drug-ner",
            "kind": "taggers",
            "experts": 3,
            "labels": ["DRUG"],
            "questions": {},
            "asks": False,
            "nested": False,
        }
    )

    name: str
    kind: Literal["taggers", "readers", "generators"]
    experts: int
    labels: list[str]
    questions: dict[str, str]
    asks: bool
    nested: bool


class Models(BaseModel):
    """All models of the server, and what a request may hold."""

    models: list[Model]
    texts: int
    characters: int


class Status(BaseModel):
    """How the server is."""

    model_config = _example({"status": "ok"})

    status: str


class Refused(BaseModel):
    """Why a request was refused."""

    model_config = _example({"error": "expected at most 256 texts, got 300: send them in parts"})

    error: str
