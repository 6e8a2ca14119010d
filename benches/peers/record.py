"""What is written of a comparison: tables, and records that name no place of the machine."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["command_line", "commit", "slug", "table", "write_record"]

HERE = Path(__file__).resolve().parent


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A markdown table; all columns but the first are flush right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    # A bar would end the cell.
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def slug(name: str) -> str:
    """``name``, of a processor or a file, as part of a file name."""
    words = "".join(letter if letter.isalnum() else " " for letter in name.lower()).split()
    return "-".join(word for word in words if word not in ("r", "tm", "cpu", "processor")) or "unknown-cpu"


def command_line(script: str, arguments: Sequence[str]) -> str:
    """The command, without directories of this machine."""
    placeless = [Path(argument).name if os.sep in argument else argument for argument in arguments]
    return f"python benches/peers/{script} {shlex.join(placeless)}"


def commit() -> str:
    """Commit of the checkout that this is in, or "unknown"."""
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"
    except OSError:
        return "unknown"


def write_record(records: Path, name: str, markdown: str, numbers: dict[str, Any]) -> Path:
    """Write the tables and the numbers; the path of the tables."""
    records.mkdir(parents=True, exist_ok=True)
    path = records / f"{name}.md"
    path.write_text(markdown, encoding="utf-8")
    text = json.dumps(numbers, indent=1, ensure_ascii=False)
    (records / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return path
