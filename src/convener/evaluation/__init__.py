"""Scores of predictions against gold, and how sure they are."""
