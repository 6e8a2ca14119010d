#!/usr/bin/env python3
"""Write texts that are not language, to score a model on: parquet with the columns text, language (zxx) and kind.

What training generates (`dataset.sources[].generated`) is made from templates. Nothing of that is used here: most of
these texts are written by modules of Python's standard library that have the real formats (json, csv, uuid, hashlib,
base64, ipaddress, email, logging, traceback, difflib, dis, ast, xml, urllib, pathlib, datetime), code comes from the
library's own sources, without comments and text in quotes, and the rest from other rules than those of training. Which
texts are written follows from --seed and from the version of Python.

example: python scripts/not_language_samples.py --output not-language
"""

from __future__ import annotations

import argparse
import math
import random
import string
import textwrap
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

import not_language_formats as formats
import pyarrow as pa
import pyarrow.parquet as pq

from wldetect.files import atomic_path

LONGEST = 500
Rng = random.Random
LETTERS = ("LATIN SMALL", "CYRILLIC SMALL", "GREEK SMALL", "ARABIC", "HEBREW", "CJK UNIFIED", "HANGUL SYLLABLE",
           "DEVANAGARI", "ETHIOPIC SYLLABLE", "KATAKANA", "THAI CHARACTER")  # fmt: skip
# Keys beside each other, in columns as in rows.
KEYS = (
    "q1", "w2", "e3", "r4", "t5", "y6", "u7", "i8", "o9", "p0", "aq", "sw", "de", "fr", "gt", "hy", "ju", "ki", "lo",
    "za", "xs", "cd", "vf", "bg", "nh", "mj", "qw", "we", "er", "rt", "ty", "yu", "ui", "io", "op", "as", "sd", "df",
    "fg", "gh", "hj", "jk", "kl", "zx", "xc", "cv", "vb", "bn", "nm",
)  # fmt: skip


def formula(rng: Rng) -> str:
    signs = [chr(point) for point in range(0x2200, 0x22FF)]
    names = [chr(point) for point in rng.choice([range(0x3B1, 0x3C9), range(0x1D44E, 0x1D454)])]
    return rng.choice([" ", ""]).join(rng.choice(rng.choice([signs, names])) for _ in range(rng.randint(3, 16)))


def tex(rng: Rng) -> str:
    greek = ["\\gamma", "\\delta", "\\mu", "\\rho", "\\omega", "\\Phi", "u", "v", "z", "m"]
    text = rng.choice(greek)
    for _ in range(rng.randint(1, 4)):
        other = rng.choice(greek)

        text = rng.choice(
            [
                f"\\tfrac{{{text}}}{{{other}}}",
                f"\\prod_{{j}}^{{{rng.randrange(9)}}} {text}_j",
                f"{text} \\cdot {other}",
                f"\\overline{{{text}}} \\neq {other}",
                f"\\int_0^1 {text} \\, d{other}",
                f"\\|{text}\\|_{rng.randrange(3)}",
            ]
        )
    return rng.choice([f"\\({text}\\)", f"${text}$", f"\\begin{{equation}}{text}\\end{{equation}}"])


def emoji(rng: Rng) -> str:
    signs = [chr(point) for point in range(0x1F300, 0x1F6D0) if unicodedata.category(chr(point)) == "So"]
    return rng.choice(["", " "]).join(rng.choice(signs) for _ in range(rng.randint(1, 10)))


def marks(rng: Rng) -> str:
    signs = [
        chr(point)
        for point in range(0x3100)
        if unicodedata.category(chr(point)) in ("Po", "Pd", "Ps", "Pe", "Sm", "Sk")
    ]
    few = rng.sample(string.punctuation, 3) if rng.random() < 0.7 else rng.sample(signs, 4)
    return "".join(rng.choice(few) for _ in range(rng.randint(1, 30)))


def signs(rng: Rng) -> str:
    block = rng.choice([0x2200, 0x2580, 0x2190, 0x2654, 0x2800, 0x1D100, 0x2500, 0x2460])
    return "".join(chr(block + rng.randrange(1, 12 if block == 0x2654 else 90)) for _ in range(rng.randint(2, 30)))


def drawing(rng: Rng) -> str:
    """A curve, a chart of bars, or rings."""
    kind = rng.randrange(3)
    if kind == 0:
        wave, wide = rng.choice("*o.x+"), rng.randint(4, 12)
        return "\n".join(" " * int(wide * (1 + math.sin(row / 2))) + wave for row in range(rng.randint(4, 14)))
    if kind == 1:
        return "\n".join(f"{row:2} {rng.choice('█▇#=|') * rng.randint(1, 20)}" for row in range(rng.randint(2, 8)))
    return "\n".join("  ".join(rng.choice(".oO@") for _ in range(6)) for _ in range(rng.randint(2, 6)))


def keys(rng: Rng) -> str:
    return "".join(rng.choice(KEYS) for _ in range(rng.randint(4, 12)))


@cache
def letters_of(script: str) -> list[str]:
    if script == "LATIN SMALL":
        return list(string.ascii_lowercase)
    every = (char for char in map(chr, range(0x41, 0xD7A4)) if unicodedata.category(char) in ("Lo", "Ll"))
    return [char for char in every if unicodedata.name(char, "").startswith(script)]


def letters(rng: Rng) -> str:
    every = letters_of(rng.choice(LETTERS))
    return "".join(rng.choice(every) for _ in range(rng.randint(10, 60)))


def stutter(rng: Rng) -> str:
    return rng.choice(string.ascii_letters) * rng.randint(5, 60)


def game(rng: Rng) -> str:
    """A position of chess, as Forsyth and Edwards wrote it, or moves in the long form."""
    if rng.random() < 0.5:
        rows = ["".join(rng.choice("rnbqkpRNBQKP12") for _ in range(rng.randint(2, 5))) for _ in range(8)]
        return "/".join(rows) + f" {rng.choice('wb')} KQkq - {rng.randrange(9)} {rng.randrange(1, 60)}"

    squares = [rng.choice("abcdefgh") + rng.choice("12345678") for _ in range(2 * rng.randint(2, 8))]
    moves = zip(squares[::2], squares[1::2], strict=True)
    return " ".join(f"{rng.choice('NBRQK')}{start}-{end}" for start, end in moves)


def molecule(rng: Rng) -> str:
    """In the SMILES notation, or as a sum with brackets."""
    if rng.random() < 0.5:
        return "".join(
            rng.choice(["C", "C", "N", "O", "=C", "(=O)", "c1ccccc1", "[NH+]", "(C)", "Cl", "#N"])
            for _ in range(rng.randint(4, 14))
        )
    return "".join(
        f"({rng.choice(['NH', 'SO', 'PO', 'CO', 'NO'])}{rng.randint(2, 4)}){rng.randint(2, 9)}"
        for _ in range(rng.randint(1, 3))
    )


def sequence(rng: Rng) -> str:
    """A record of bases, as FASTA has it, or one with gaps."""
    bases = "".join(rng.choice("acgt-" if rng.random() < 0.2 else "ACGT") for _ in range(rng.randint(15, 120)))
    return rng.choice([bases, f">{formats.name(rng)}|{rng.randrange(10**6)}\n" + textwrap.fill(bases, 40)])


KINDS: dict[str, Callable[[Rng], str]] = {
    "digits and numbers": lambda rng: rng.choice([formats.number, formats.exact_number])(rng),
    "dates and times": lambda rng: rng.choice([formats.date, formats.span])(rng),
    "telephone numbers": formats.phone,
    "amounts and quantities": lambda rng: rng.choice([formats.amount, formats.quantity])(rng),
    "network addresses": formats.addresses,
    "urls": formats.url,
    "mail addresses": formats.mail,
    "paths": formats.path,
    "hashes and identifiers": lambda rng: rng.choice([formats.digest, formats.identifier])(rng),
    "encoded bytes": lambda rng: rng.choice([formats.encoded, formats.dump])(rng),
    "json": lambda rng: rng.choice([formats.json_text, formats.python_value])(rng),
    "xml": formats.xml_text,
    "csv": formats.table,
    "python": formats.code,
    "differences": formats.difference,
    "assembler and trees": lambda rng: rng.choice([formats.assembler, formats.tree])(rng),
    "traces": formats.trace,
    "logs and headers": lambda rng: rng.choice([formats.log, formats.header])(rng),
    "styles": formats.style,
    "queries": formats.query,
    "commands": formats.command,
    "formulas": formula,
    "tex": tex,
    "emoji": emoji,
    "punctuation": marks,
    "signs": signs,
    "drawings": drawing,
    "keys": keys,
    "random letters": letters,
    "one letter": stutter,
    "chess": game,
    "molecules": molecule,
    "genomes": sequence,
}
# Kinds of which one text has several pieces, at random.

SEVERAL = (
    "digits and numbers",
    "dates and times",
    "telephone numbers",
    "amounts and quantities",
    "network addresses",
    "urls",
    "mail addresses",
    "paths",
    "hashes and identifiers",
    "logs and headers",
    "keys",
    "random letters",
)


def text_of(kind: str, rng: Rng) -> str:
    pieces = [KINDS[kind](rng)]
    if kind in SEVERAL and rng.random() < 0.4:
        pieces += [KINDS[kind](rng) for _ in range(rng.randint(1, 6))]
    return rng.choice([" ", "\n", "  ", ", "]).join(pieces)[:LONGEST].strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="a directory; not_language.parquet is written there")
    parser.add_argument("--each", type=int, default=300, help="texts of each kind (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows: list[tuple[str, str]] = []
    for kind in KINDS:
        rng = Rng(f"{arguments.seed} {kind}")
        texts: list[str] = []
        while len(texts) < arguments.each:
            texts += filter(None, [text_of(kind, rng)])
        rows += [(text, kind) for text in texts]
    path = arguments.output / "not_language.parquet"
    columns = {"text": [text for text, _ in rows], "language": ["zxx"] * len(rows), "kind": [kind for _, kind in rows]}
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns), temporary)
    print(f"{path}: {len(rows):,} texts of {len(KINDS)} kinds")


if __name__ == "__main__":
    main()
