"""A dictionary at a model's side, for names that the model was never taught.

A model knows the names of the text that it learnt from. Of those that a dictionary lists and that
text lacks it overlooks many, most of all where names look like other words, as those of drugs and
diseases do.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from convener.dictionary import Gazetteer, Labeller
from convener.text.documents import Document, Entity, Offsets, apart


def joined(
    answered: Document, names: Gazetteer, flat: bool, said: Iterable[Entity] = ()
) -> Document:
    """What a model answered, and the listed names that it overlooked.

    Where both name the same words the model, which has read the sentence, decides the type, also by
    what it `said` and is too unsure of to be an answer; and a name that is listed under several
    types is no answer. With `flat`, the longer of two names that overlap stays, the model's where
    both are as long.
    """
    listed = Labeller(names, nested=not flat)(answered).entities
    types = Counter(entity.span for entity in listed)
    sure = {entity.span for entity in answered.entities}
    unsure: dict[Offsets, set[str]] = {}
    for entity in said:
        unsure.setdefault(entity.span, set()).add(entity.label)
    overlooked = [
        entity
        for entity in listed
        if types[entity.span] == 1
        and entity.span not in sure
        and entity.label in unsure.get(entity.span, {entity.label})
    ]
    both = [*answered.entities, *overlooked]
    if flat:
        both = apart(sorted(both, key=lambda entity: entity.start - entity.end))
    return replace(answered, entities=tuple(sorted(both, key=lambda entity: entity.span)))
