"""Other forms of a name, for dictionaries that ask for them: possessives and English plurals."""

import re
from collections.abc import Iterator

from convener.dictionary.normal import SEPARATOR

_POSSESSIVE = [["'", "s"], ["'", "S"]]


def variants(written: str, possessives: bool, plurals: bool) -> set[str]:
    """The forms of a written name besides itself.

    With `possessives` the 's of its words may be missing, or one may stand after a word that is not
    the last ("Alzheimer disease", "Alzheimer's disease"; at the end of a name it never matters).
    With `plurals` the last word may be in the plural.

    >>> sorted(variants("allergy", False, True)), sorted(variants("box", False, True))
    (['allergies'], ['boxes'])
    """
    forms = {written}
    if possessives:
        forms.update(_possessives(written.split(SEPARATOR)))
    if plurals:
        forms.update([_plural(form) for form in forms])
    return forms - {written}


def _possessives(words: list[str]) -> Iterator[str]:
    bare: list[str] = []
    for word in words:
        bare.append(word)
        if len(bare) > 2 and bare[-2:] in _POSSESSIVE:
            del bare[-2:]
    yield SEPARATOR.join(bare)
    for place in range(1, len(bare)):
        if bare[place - 1].isalpha():
            yield SEPARATOR.join([*bare[:place], "'", "s", *bare[place:]])


def _plural(form: str) -> str:
    word = form.rpartition(SEPARATOR)[2].lower()
    if len(word) < 2 or not word.isalpha():
        return form
    if re.search(r"[^aeiou]y$", word):
        return form[:-1] + "ies"
    return form + ("es" if re.search(r"(s|x|z|ch|sh)$", word) else "s")
