"""What the server accepts and how it batches; every limit that is exceeded is refused by name."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Limits(BaseModel):
    """Sizes of requests, of the queue and of batches.

    `characters` is of one text, `queue` counts texts that wait, `seconds` is how long a request
    may take to arrive and again to be answered, `wait` how many seconds a text may wait for others
    to share its batch. A batch of one text at a time answers requests one by one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    body_bytes: int = Field(default=2_000_000, ge=1)
    texts: int = Field(default=256, ge=1)
    characters: int = Field(default=100_000, ge=1)
    questions: int = Field(default=32, ge=1)
    queue: int = Field(default=2_048, ge=1)
    seconds: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    batch_texts: int = Field(default=64, ge=1)
    batch_characters: int = Field(default=5_000, ge=1)
    wait: float = Field(default=0.002, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _a_request_fits(self) -> Self:
        if self.texts > self.queue:
            raise ValueError(
                f"expected a queue that holds a request of {self.texts} texts, got {self.queue}"
            )
        return self
