"""Tests of reading, choosing and tokenizing data."""
