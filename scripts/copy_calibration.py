#!/usr/bin/env python3
"""Give a model the calibration of another, which was trained in the same way without the texts that are held out.

All texts can then be trained on, and probabilities still come from texts that a model had not seen. The two must have
the same labels. What temperatures depend on, how much evidence there is, is much the same for both; how well they fit
the copy, an evaluation tells (`wldetect eval` prints the expected calibration error).

example: python scripts/copy_calibration.py artifacts/default-held-out artifacts/default
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wldetect.errors import ArtifactError
from wldetect.export.metadata import rewrite_metadata
from wldetect.export.quantize import TableDType
from wldetect.export.table_file import read_tensors

KEY = "calibration"


def copy_calibration(source: Path, target: Path) -> list[Path]:
    """Copy the metadata key from the table of ``source`` to every table of ``target``; returns these.

    Raises:
        OSError: a file is missing, or cannot be written.
        ArtifactError: a file is malformed, the first model is not calibrated, or the second has other labels.
    """
    path = source / TableDType.E3M4.file_name
    _, found = read_tensors(path)
    if KEY not in found:
        raise ArtifactError(f"{path}: {KEY}: expected a calibrated model (`wldetect calibrate`), found one without")
    tables = [target / dtype.file_name for dtype in TableDType if (target / dtype.file_name).exists()]
    if not tables:
        raise FileNotFoundError(f"{target / TableDType.E3M4.file_name}: no such file")
    for table in tables:
        _, metadata = read_tensors(table)
        if metadata["languages"] != found["languages"]:
            raise ArtifactError(f"{table}: languages: expected those of {path}, found others")
    for table in tables:
        rewrite_metadata(table, {KEY: found[KEY]})
    return tables


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="FROM", help="the directory of a calibrated model")
    parser.add_argument("target", type=Path, metavar="TO", help="the directory of the model to be calibrated")
    options = parser.parse_args()
    try:
        for path in copy_calibration(options.source, options.target):
            print(f"wrote: {path}")
    except (ArtifactError, OSError) as error:
        print(f"{Path(__file__).name}: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
