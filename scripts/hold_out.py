#!/usr/bin/env python3
"""Hold out labelled texts to score a model on, and cut them to single words, word pairs and five words.

Reads the columns text, language and source of the parquet files of a training file's first source. Of a language with
several sources, one with at least 150 texts and at most 40 % of the language's is held out as a whole, so that what is
scored was not written by those who wrote what is trained on; of others a tenth. Which one follows from the names alone.
Labels that are merged are one, that of the model. Of a source that is generated, --generated texts of another seed are
added, which are not scored.
Writes to the output directory:

  held_out.parquet  all that is held out, for `dataset.held_out`
  sets/             sentences, words1, words2 and words5: of at most --most texts a language, for `wldetect eval --suite
                    short`; cuts as `training.augmentation.crop` makes them, without punctuation at the ends

example: python scripts/hold_out.py --config configs/training/gemma3-270m-ngrams.yaml --output held-out
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from wldetect.config import Generator, load_training_config, resolve_name
from wldetect.data.characters import LETTERS_A_WORD, SPACELESS
from wldetect.data.files import FileKind, find_files
from wldetect.data.not_language import generated_texts
from wldetect.files import atomic_path

SMALLEST, LARGEST_SHARE, TENTH = 150, 0.4, 10
PUNCTUATION = " .,;:!?\"()«»“”‘’'"
# Words of each set, and how many cuts are made of each sentence.
CUTS = {1: 2, 2: 2, 5: 1}


def held_out_rows(label: str, sources: list[str]) -> list[int]:
    """The positions of those texts of a language, given by their sources, that are held out."""
    counts = {source: sources.count(source) for source in set(sources)}
    whole = [name for name, count in counts.items() if SMALLEST <= count <= LARGEST_SHARE * len(sources)]
    if whole:
        chosen = min(whole, key=lambda name: hashlib.sha256(f"{label} {name}".encode()).digest())
        return [row for row, source in enumerate(sources) if source == chosen]
    return list(range(0, len(sources), TENTH))


def cut(text: str, n_words: int, rng: np.random.Generator) -> str:
    """``n_words`` successive words, of four letters each where words are not spaced."""
    if len(SPACELESS.findall(text)) * 2 > len(text):
        size = n_words * LETTERS_A_WORD
        start = int(rng.integers(max(1, len(text) - size + 1)))
        return text[start : start + size].strip(PUNCTUATION)
    words = [word for word in text.split() if any(char.isalpha() for char in word)]
    start = int(rng.integers(max(1, len(words) - n_words + 1)))
    return " ".join(words[start : start + n_words]).strip(PUNCTUATION)


def generated(generator: Generator, seed: int, count: int) -> list[str]:
    """``count`` texts that are made up."""
    match generator:
        case Generator.not_language:
            return list(generated_texts(seed, count))


def write(path: Path, rows: list[tuple[str, str]]) -> None:
    with atomic_path(path) as temporary:
        pq.write_table(
            pa.table({"text": [text for text, _ in rows], "language": [code for _, code in rows]}), temporary
        )
    print(f"{path}: {len(rows):,} texts of {len({code for _, code in rows})} languages")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="the training file")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--most", type=int, default=500, help="texts a language that are scored (default %(default)s)")
    parser.add_argument("--generated", type=int, default=2000, help="texts of generators (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    config = load_training_config(arguments.config)
    first = config.training.dataset.all_sources[0]
    found = None if first.name is None else find_files(resolve_name(first.name, arguments.config), "train", first.files)
    if found is None or found.kind is not FileKind.PARQUET:
        parser.error(f"--config: expected parquet files as the first source, found {first.name}")
    table = ds.dataset([str(path) for path in found.paths]).to_table(columns=["text", "language", "source"]).to_pydict()
    texts: dict[str, list[str]] = {label: [] for label in config.labels}
    sources: dict[str, list[str]] = {label: [] for label in texts}
    merged = config.training.dataset.merge_labels
    own = {member: label for label, members in merged.items() for member in members}
    for text, name, source in zip(table["text"], table["language"], table["source"], strict=True):
        label = own.get(name, name)
        if label in texts:
            texts[label].append(" ".join(text.split()))
            sources[label].append(source)
    rng = np.random.default_rng(arguments.seed)
    held: list[tuple[str, str]] = []
    scored: list[tuple[str, str]] = []
    for label, mine in texts.items():
        rows = held_out_rows(label, sources[label])
        held += [(mine[row], label) for row in rows]
        scored += [
            (mine[rows[place]], label) for place in sorted(rng.permutation(len(rows))[: arguments.most].tolist())
        ]
    for source in config.training.dataset.all_sources:
        if source.generated is not None:
            texts_made = generated(source.generated, config.training.dataset.seed + 1, arguments.generated)
            held += [(text, source.generated.label) for text in texts_made]
    write(arguments.output / "held_out.parquet", held)
    write(arguments.output / "sets" / "sentences.parquet", scored)
    for n_words, times in CUTS.items():
        cuts = [(cut(text, n_words, rng), label) for text, label in scored for _ in range(times)]
        with_letters = [(text, label) for text, label in cuts if any(char.isalpha() for char in text)]
        write(arguments.output / "sets" / f"words{n_words}.parquet", with_letters)


if __name__ == "__main__":
    main()
