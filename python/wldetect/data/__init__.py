"""Labelled text: reading sources, choosing rows, and the tokenized form that training reads."""
