"""Tests of the embedding sources."""
