"""Checkpoints: everything a run needs to go on as if it had never stopped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wldetect.errors import DataError, WLDetectError
from wldetect.files import atomic_path

__all__ = ["Checkpoint", "CheckpointStore", "Progress"]

_NAME = re.compile(r"step_(\d+)\.pt")
_VERSION = 2


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes:
        step: optimizer steps taken.
        epoch: epoch the next batch is in.
        batch: index of the next batch in that epoch.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run between two optimizer steps.

    Attributes:
        progress: how far it has come.
        identity: what the run must agree on to be resumed: fingerprints by name.
        state: state dictionaries by name: model, optimizer, scheduler, meter, and ngrams where there are.
    """

    progress: Progress
    identity: dict[str, str]
    state: dict[str, Any]


class CheckpointStore:
    """The checkpoints of one run, in a directory; the newest few are kept."""

    def __init__(self, directory: Path, keep: int = 2) -> None:
        self._directory = directory
        self._keep = keep

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write ``checkpoint`` whole or not at all, then delete the oldest ones.

        Raises:
            OSError: there is no room, or the directory cannot be written. Earlier checkpoints are left as they were.
        """
        path = self._directory / f"step_{checkpoint.progress.step:08d}.pt"
        content = {
            "version": _VERSION,
            "progress": vars(checkpoint.progress),
            "identity": checkpoint.identity,
            "state": checkpoint.state,
        }
        try:
            with atomic_path(path) as temporary:
                torch.save(content, temporary)
        except RuntimeError as error:
            # torch reports a full disk as a RuntimeError of its writer.
            raise OSError(f"{path}: cannot write the checkpoint: {error}") from error
        for old in self.paths()[: -self._keep]:
            old.unlink(missing_ok=True)
        # Halves that a killed run has left. Nobody else writes here.
        for half in self._directory.glob(".step_*.tmp"):
            half.unlink(missing_ok=True)
        return path

    def paths(self) -> list[Path]:
        """The checkpoints there are, oldest first."""
        if not self._directory.is_dir():
            return []
        return sorted(path for path in self._directory.iterdir() if _NAME.fullmatch(path.name))

    def latest(self, identity: dict[str, str]) -> Checkpoint | None:
        """The newest checkpoint, or None where there is none.

        Raises:
            DataError: it cannot be read.
            WLDetectError: it belongs to a run of another configuration, corpus or embeddings; names which.
        """
        paths = self.paths()
        if not paths:
            return None
        path = paths[-1]
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            progress = Progress(**content["progress"])
            version, found, state = content["version"], content["identity"], content["state"]
        except Exception as error:
            # A damaged archive raises whatever its reader stumbles over first.
            raise DataError(f"{path}: not a whole checkpoint: {type(error).__name__}: {_one_line(error)}") from error
        if version != _VERSION:
            raise DataError(f"{path}: checkpoint version: expected {_VERSION}, found {version}")
        for name, value in identity.items():
            if found.get(name) != value:
                raise WLDetectError(
                    f"{path}: cannot resume: {name} differs: expected {value[:16]}, found {str(found.get(name))[:16]}; "
                    "undo the change, or train anew without --resume"
                )
        return Checkpoint(progress, found, state)


def _one_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
