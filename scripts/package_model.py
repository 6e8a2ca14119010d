#!/usr/bin/env python3
"""Put a trained model inside the package, where `WLDetect.load()` finds it and wheels take it from.

Copies what detecting needs and nothing else: the E3M4 lookup table, the n-gram rows if the model has any, and the
compiled tokenizer. Where files lay on this machine is taken out of the record of the training run, and its metadata get
two keys more, of JSON: `sources`, whom the texts are owed to, under which licences, from docs/sources.md, and `scores`,
from its last evaluation. The copy must load by itself before it takes the place of an earlier one.

example: python scripts/package_model.py artifacts/default
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import zlib
from pathlib import Path
from typing import Any

import wldetect
from wldetect import WLDetect
from wldetect._core import COMPILED_TOKENIZER
from wldetect.errors import ArtifactError
from wldetect.export.metadata import rewrite_metadata
from wldetect.export.ngram_file import ngram_file_names
from wldetect.export.quantize import TableDType
from wldetect.export.table_file import read_tensors

PACKAGED = Path(wldetect.__file__).with_name("model")
DTYPE = TableDType.E3M4
SOURCES = Path(__file__).parents[1] / "docs" / "sources.md"
SCORES = "flores_dev_results.json"
# A row of a table: names, each between backquotes, what more there is to them, the origin, the licence.
ROW = re.compile(r"\| (?P<names>`[^|]*) \| (?P<origin>[^|]*) \| (?P<licence>[^|]*) \|")
# The directories of an absolute path.
DIRECTORIES = re.compile(r"(?<![\w.:/-])/(?:[^/\s:\"]+/)+")


def licences(text: str) -> list[dict[str, str]]:
    """The rows of the tables of docs/sources.md: ``name``, ``origin`` and ``licence``, one for each name."""
    return [
        {"name": name, "origin": row["origin"].replace("\\", ""), "licence": row["licence"]}
        for row in ROW.finditer(text)
        for name in re.findall(r"`([^`]+)`", row["names"])
    ]


def sources_of(record: dict[str, Any], known: list[dict[str, str]]) -> list[dict[str, str]]:
    """Those of the ``known`` sources that a model was trained on, as the record of its training tells.

    Raises:
        ArtifactError: one of them is not known.
    """
    named = {
        Path(file).stem
        for source in record["config"]["training"]["dataset"].get("sources", [])
        if source["name"] is not None
        for file in (source["files"] or [source["name"]])
    }
    if missing := sorted(named - {source["name"] for source in known}):
        raise ArtifactError(f"{SOURCES.name}: expected the licence of every source, found none of {', '.join(missing)}")
    return [source for source in known if source["name"] in named]


def scores_of(results: dict[str, Any]) -> dict[str, Any]:
    """What an evaluation found over all texts, and of what."""
    return {"evaluation": results["provenance"]["data"], **results["overall"]}


def metadata_of(source: Path, metadata: dict[str, str]) -> dict[str, str]:
    """What of the metadata of the table becomes other, and what more there is."""
    if "provenance" not in metadata:
        return {}
    changed = {"provenance": DIRECTORIES.sub("", metadata["provenance"])}
    record = json.loads(changed["provenance"])
    if record.get("config", {}).get("training", {}).get("dataset", {}).get("sources"):
        owed = sources_of(record, licences(SOURCES.read_text(encoding="utf-8")))
        changed["sources"] = json.dumps(owed, ensure_ascii=False)
    if (source / SCORES).exists():
        results = json.loads((source / SCORES).read_text(encoding="utf-8"))
        changed["scores"] = DIRECTORIES.sub("", json.dumps(scores_of(results), ensure_ascii=False))
    return changed


def package_model(source: Path, target: Path) -> list[Path]:
    """Copy the model directory ``source`` to ``target``; returns the files.

    Raises:
        OSError: a file is missing, or cannot be written.
        ArtifactError: the model is malformed, or trained on a source whose licence is not known.
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
        if changed := metadata_of(source, metadata):
            rewrite_metadata(temporary / DTYPE.file_name, changed)
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
