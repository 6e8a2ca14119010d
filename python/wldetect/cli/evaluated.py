"""What a model was evaluated on when it was trained."""

from __future__ import annotations

from pathlib import Path

from wldetect.errors import ArtifactError, ConfigError

__all__ = ["PROVENANCE", "evaluation_of_training"]

PROVENANCE = "provenance.json"
"""The record of the training run in a model directory."""


def evaluation_of_training(model_path: Path) -> dict[str, str | None]:
    """What the model was evaluated on when it was trained, from its provenance.

    Raises:
        FileNotFoundError: the model has no record.
        ArtifactError: it is something else.
        ConfigError: the training configuration named no evaluation data.
    """
    import json

    path = model_path / PROVENANCE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        evaluation: dict[str, str | None] = record["config"]["training"]["evaluation"]
        named = evaluation["data"] is not None
    except (ValueError, LookupError, TypeError):
        raise ArtifactError(
            f"{path}: expected the record of a training run, found something else; give the data with --data"
        ) from None
    if not named:
        raise ConfigError(f"{path}: the training configuration names no evaluation data; give it with --data")
    return evaluation
