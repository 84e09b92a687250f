"""Prediction: texts in, entities out, and models kept in folders."""
