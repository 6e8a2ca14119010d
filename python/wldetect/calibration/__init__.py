"""Calibration: inverse temperatures and thresholds, fitted on held-out texts and kept in a model's tables."""
