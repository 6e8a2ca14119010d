#!/usr/bin/env python3
"""Put a trained model inside the package, where `WLDetect.load()` finds it and wheels take it from.

Copies what detecting needs and nothing else: the E3M4 lookup table, the n-gram rows if the model has any, and the
compiled tokenizer. Where files lay on this machine is taken out of the record of the training run. The copy must load
by itself before it takes the place of an earlier one.

example: python scripts/package_model.py artifacts/default
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import zlib
from pathlib import Path

import wldetect
from wldetect import WLDetect
from wldetect._core import COMPILED_TOKENIZER
from wldetect.export.metadata import rewrite_metadata
from wldetect.export.ngram_file import ngram_file_names
from wldetect.export.quantize import TableDType
from wldetect.export.table_file import read_tensors

PACKAGED = Path(wldetect.__file__).with_name("model")
DTYPE = TableDType.E3M4
# The directories of an absolute path.
DIRECTORIES = re.compile(r"(?<![\w.:/-])/(?:[^/\s:\"]+/)+")


def package_model(source: Path, target: Path) -> list[Path]:
    """Copy the model directory ``source`` to ``target``; returns the files.

    Raises:
        OSError: a file is missing, or cannot be written.
        ArtifactError: the model is malformed.
    """
    detector = WLDetect.load(source, table=DTYPE.value)
    names = [DTYPE.file_name, COMPILED_TOKENIZER]
    if "ngrams" in detector.features:
        names.insert(1, ngram_file_names()[DTYPE])
    temporary, earlier = (target.with_name(f".{target.name}.{kind}.{os.getpid()}") for kind in ("new", "old"))
    try:
        temporary.mkdir(parents=True)
        for name in names:
            shutil.copyfile(source / name, temporary / name)
        _, metadata = read_tensors(temporary / DTYPE.file_name)
        if "provenance" in metadata:
            places_out = DIRECTORIES.sub("", metadata["provenance"])
            rewrite_metadata(temporary / DTYPE.file_name, {"provenance": places_out})
        # Loading it proves that the compiled tokenizer is of this version, for nothing else is there.
        WLDetect.load(temporary, table=DTYPE.value)
        if target.exists():
            target.rename(earlier)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if not target.exists() and earlier.exists():
            earlier.rename(target)
        shutil.rmtree(earlier, ignore_errors=True)
    return [target / name for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="DIR", help="a model directory that `wldetect train` made")
    parser.add_argument("--output", type=Path, default=PACKAGED, metavar="DIR", help="(default: in this package)")
    options = parser.parse_args()
    for path in package_model(options.model, options.output):
        content = path.read_bytes()
        print(f"{path}: {len(content) / 1e6:.2f} MB, {len(zlib.compress(content, 6)) / 1e6:.2f} compressed")


if __name__ == "__main__":
    main()
