"""Recipes: one readable file for each paper."""
