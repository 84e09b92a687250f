"""Labels from knowledge: a gazetteer of names and the labeller that applies it. No torch here."""

from convener.dictionary.gazetteer import Entry, Gazetteer, Match
from convener.dictionary.labeller import Labeller, Summary

__all__ = ["Entry", "Gazetteer", "Labeller", "Match", "Summary"]
