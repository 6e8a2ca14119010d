#!/usr/bin/env python3
"""Write the hashes of the sentences of a data set, for `dataset.forbidden`: training stops if one is in its texts.

The file has the first bytes of the SHA-256 of each sentence as `wldetect.data.held_out.text_hash` simplifies it, and
nothing of the sentences. Texts of fewer than four words and twenty characters are left out: anyone may have written
them. With six bytes, another text has one of 200,000 hashes with a chance of 7 in 10^10: one build in 280, if each has
5 million texts.

example: python scripts/hash_sentences.py data/flores/dev.parquet --output configs/forbidden/flores200-dev.hashes
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wldetect.data.hash_file import FEWEST_BYTES
from wldetect.data.held_out import write_sentence_hashes
from wldetect.files import default_cache_dir


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a file, a pattern of files, a directory or a hub id with a column text")
    parser.add_argument("--output", type=Path, required=True, help="a file whose name ends in .hashes")
    parser.add_argument("--bytes", type=int, default=6, choices=range(FEWEST_BYTES, 9), help="(default %(default)s)")
    arguments = parser.parse_args()
    if arguments.output.suffix != ".hashes":
        parser.error(f"--output: expected a name that ends in .hashes, found {arguments.output.name!r}")
    count = write_sentence_hashes(arguments.data, arguments.output, default_cache_dir(), arguments.bytes)
    print(f"{arguments.output}: {count:,} sentences, {arguments.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
