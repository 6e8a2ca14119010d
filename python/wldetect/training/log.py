"""The training log: a line of JSON every so many steps, and the same for TensorBoard."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from wldetect.errors import MissingExtraError
from wldetect.files import atomic_path

__all__ = ["LOG_NAME", "TrainingLog"]

LOG_NAME = "training_log.jsonl"
"""Name of the log in a model directory."""


class TrainingLog:
    """Numbers by step, in ``training_log.jsonl`` and, where asked for, in a folder ``tensorboard``.

    A resumed run continues both after the step it resumes from; a new one starts them anew. A log that cannot be
    written is no reason to lose a run: there is one warning, and training goes on.

    Args:
        directory: the model directory.
        tensorboard: whether to write for TensorBoard too.
        last_step: steps before this run, 0 for a new one.

    Raises:
        MissingExtraError: the package tensorboard is not installed.
    """

    def __init__(self, directory: Path, *, tensorboard: bool = False, last_step: int = 0) -> None:
        self._path = directory / LOG_NAME
        self._failed = False
        self._writer: Any = None
        if tensorboard:
            self._writer = _summary_writer(directory / "tensorboard", last_step)
        try:
            self._keep_until(last_step)
        except OSError as error:
            self._warn(error)

    def write(self, step: int, **values: float) -> None:
        """Add ``values`` at ``step``."""
        line = json.dumps({"step": step, **{name: _rounded(value) for name, value in values.items()}})
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            if self._writer is not None:
                for name, value in values.items():
                    self._writer.add_scalar(name, value, step)
                self._writer.flush()
        except OSError as error:
            self._warn(error)

    def close(self) -> None:
        """Write out what is buffered."""
        if self._writer is not None:
            self._writer.close()

    def _keep_until(self, last_step: int) -> None:
        """Drop the lines past ``last_step``: those steps are taken again. A line cut short by a kill goes with them."""
        kept = []
        if last_step and self._path.exists():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                try:
                    if json.loads(line)["step"] <= last_step:
                        kept.append(line + "\n")
                except (ValueError, LookupError, TypeError):
                    continue
        with atomic_path(self._path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")

    def _warn(self, error: OSError) -> None:
        if not self._failed:
            print(f"warning: {self._path}: cannot be written, training goes on: {error}", file=sys.stderr)
        self._failed = True


def _summary_writer(directory: Path, last_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError(
            "training.tensorboard: true needs the package tensorboard: pip install tensorboard"
        ) from error
    # Steps that are taken again, or a whole earlier run, are left out of what is shown.
    return SummaryWriter(str(directory), purge_step=last_step + 1)


def _rounded(value: float) -> float:
    # Six digits are more than such numbers mean.
    return float(f"{value:.6g}")
