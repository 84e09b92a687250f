"""What the data is: entities, documents, words, tags, windows and file formats. No torch here."""

from convener.text.documents import Document, Entity
from convener.text.tokens import words

__all__ = ["Document", "Entity", "words"]
