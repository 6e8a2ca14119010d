"""Write ``fp8.json``: what the ``ml_dtypes`` package gives for both FP8 formats, for tests in Rust and Python.

Run it as ``python tests/vectors/generate_fp8.py`` after an upgrade of ``ml_dtypes``; a test says whether that is due.

The file holds, for each format, the float32 bits of all 256 codes (hexadecimal, in order) and the codes of all 65,536
float16 bit patterns as runs ``first:code``: every input from ``first`` to before the next run has that code. These are
the codes of ``ml_dtypes`` itself, overflow to infinity or NaN included; where it overflows, WLDetect saturates.
``sha256`` is the hash of the expanded content: for e3m4, then e4m3fn, 256 little-endian uint32, then 65,536 bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

TARGET = Path(__file__).parent / "fp8.json"
FORMATS = {"e3m4": ml_dtypes.float8_e3m4, "e4m3fn": ml_dtypes.float8_e4m3fn}


def build() -> dict[str, Any]:
    """The content of the file, computed anew."""
    digest = hashlib.sha256()
    formats = {}
    for name, dtype in FORMATS.items():
        decoded = np.arange(256, dtype=np.uint8).view(dtype).astype(np.float32).view(np.uint32)
        with np.errstate(all="ignore"):
            encoded = np.arange(65536, dtype=np.uint16).view(np.float16).astype(dtype).view(np.uint8)
        digest.update(decoded.astype("<u4").tobytes())
        digest.update(encoded.tobytes())
        firsts = [0, *(np.flatnonzero(np.diff(encoded)) + 1).tolist()]
        formats[name] = {
            "decoded_float32": _lines([f"{bits:08x}" for bits in decoded.tolist()]),
            "encoded_float16": _lines([f"{first:04x}:{encoded[first]:02x}" for first in firsts]),
        }
    return {
        "generator": "tests/vectors/generate_fp8.py",
        "ml_dtypes": ml_dtypes.__version__,
        "sha256": digest.hexdigest(),
        "formats": formats,
    }


def _lines(words: Sequence[str], per_line: int = 8) -> list[str]:
    return [" ".join(words[start : start + per_line]) for start in range(0, len(words), per_line)]


def main() -> None:
    """Write the file and say so."""
    content = build()
    TARGET.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{TARGET}: {TARGET.stat().st_size} bytes, ml_dtypes {content['ml_dtypes']}, sha256 {content['sha256']}")


if __name__ == "__main__":
    main()
