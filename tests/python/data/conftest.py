"""Writers of small corpora."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .project import Project


def _write(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        pq.write_table(pa.table(dict(columns)), path)
    elif suffix == ".json":
        path.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    elif suffix in (".csv", ".tsv"):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t" if suffix == ".tsv" else ",")
            writer.writerow(columns)
            writer.writerows(row.values() for row in rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def write_rows() -> Callable[[Path, Mapping[str, Sequence[Any]]], Path]:
    """A function that writes columns as parquet, JSON lines, a JSON array, CSV or TSV, by the path's suffix."""
    return _write


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
