"""Labels from knowledge: names, rules, votes, and the labeller that applies them. No torch here."""

from convener.dictionary.gazetteer import Entry, Gazetteer, Match
from convener.dictionary.labeller import Labeller, Summary
from convener.dictionary.patterns import read_rules
from convener.dictionary.rules import Source, rule
from convener.dictionary.votes import Vote

__all__ = [
    "Entry",
    "Gazetteer",
    "Labeller",
    "Match",
    "Source",
    "Summary",
    "Vote",
    "read_rules",
    "rule",
]
