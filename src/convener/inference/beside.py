"""A dictionary at a model's side, for names that the model was never taught.

A model knows the names of the text that it learnt from. Of those that a dictionary lists and that
text lacks it overlooks many, most of all where names look like other words, as those of drugs and
diseases do.
"""

from collections import Counter
from dataclasses import replace

from convener.dictionary import Gazetteer, Labeller
from convener.text.documents import Document, apart


def joined(answered: Document, names: Gazetteer, flat: bool) -> Document:
    """What a model answered, and the listed names that it overlooked.

    Where both name the same words the model, which has read the sentence, decides the type, and a
    name that is listed under several types is no answer. With `flat`, the longer of two names that
    overlap stays, the model's where both are as long.
    """
    listed = Labeller(names, nested=not flat)(answered).entities
    types = Counter(entity.span for entity in listed)
    said = {entity.span for entity in answered.entities}
    overlooked = [e for e in listed if e.span not in said and types[e.span] == 1]
    both = [*answered.entities, *overlooked]
    if flat:
        both = apart(sorted(both, key=lambda entity: entity.start - entity.end))
    return replace(answered, entities=tuple(sorted(both, key=lambda entity: entity.span)))
