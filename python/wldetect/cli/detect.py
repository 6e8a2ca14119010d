"""`wldetect detect`."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from wldetect import WLDetect
from wldetect.cli.options import add_model_options, share
from wldetect.errors import DataError

HELP = "print the language of texts"
DESCRIPTION = """Print the most probable language of each text and its probability, one line a text.

A text of which the model knows nothing (an empty line, say) has the language `-` and no probability. One whose language
is unknown, because no language is probable enough or the best one is of those that the model hides, has the language
`und` and the probability of the best.

examples:
  wldetect detect --text "Guten Morgen"
  wldetect detect --model-path artifacts/starter --text "Guten Morgen"
  wldetect detect --model-path artifacts/starter --file texts.txt > languages.tsv
  cat texts.txt | wldetect detect --model-path artifacts/starter --format jsonl -"""

# Enough texts to keep every core busy, few enough to answer soon and to hold little in memory.
_BATCH = 1024
# A terminal is answered line by line.
_INTERACTIVE_BATCH = 1
_NO_LANGUAGE = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to ``parser``."""
    add_model_options(parser)
    parser.add_argument(
        "--features",
        choices=["all", "tokens", "ngrams"],
        default="all",
        help="tokens: leave the model's character n-grams out; ngrams: use them alone, which is faster "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--threshold",
        type=share,
        metavar="P",
        help="least probability of an answer, 0 to 1, und being below it; 0: any will do (default: the model's own)",
    )
    parser.add_argument(
        "--report-hidden", action="store_true", help="report languages that the model hides, rather than und"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", action="append", metavar="TEXT", help="a text; may be given several times")
    source.add_argument("--file", metavar="FILE", help="a UTF-8 file with one text a line, read as a stream")
    source.add_argument("stdin", nargs="?", choices=["-"], metavar="-", help="read texts from standard input")
    parser.add_argument(
        "--format",
        choices=["tsv", "jsonl"],
        default="tsv",
        help="tsv: language and probability, tab between; jsonl: an object with language, probability and text "
        "(default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Detect and print; returns the exit status."""
    detector = WLDetect.load(
        options.model_path,
        table=options.table,
        features=options.features,
        hidden="report" if options.report_hidden else "unknown",
        threshold=options.threshold,
    )
    # The output is UTF-8 whatever the locale: jsonl repeats the text.
    output = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", errors="replace", newline="\n")
    batch_size = _INTERACTIVE_BATCH if options.stdin and sys.stdin.isatty() else _BATCH
    try:
        texts = _texts(options)
        while batch := list(islice(texts, batch_size)):
            for text, found in zip(batch, detector.predict(batch, threads=options.threads), strict=True):
                print(_line(text, found, options.format), file=output)
            output.flush()
    finally:
        # The buffer stays sys.stdout's.
        output.detach()
    return 0


def _line(text: str, found: tuple[str, float] | None, style: str) -> str:
    if style == "tsv":
        return f"{_NO_LANGUAGE}\t" if found is None else f"{found[0]}\t{found[1]:.4f}"
    import json

    language, probability = found or (None, None)
    rounded = None if probability is None else round(probability, 6)
    return json.dumps({"language": language, "probability": rounded, "text": text}, ensure_ascii=False)


def _texts(options: argparse.Namespace) -> Iterator[str]:
    if options.text is not None:
        yield from options.text
    elif options.file is not None:
        with Path(options.file).open("rb") as file:
            yield from _lines(file, options.file)
    else:
        yield from _lines(sys.stdin.buffer, "standard input")


def _lines(file: Iterable[bytes], name: str) -> Iterator[str]:
    """Lines of a UTF-8 stream without their line ends. Only newlines end a line: other separators are text."""
    for number, line in enumerate(file, start=1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            byte = line[error.start]
            raise DataError(
                f"{name}: line {number}: expected UTF-8, found byte 0x{byte:02x} ({error.reason})"
            ) from None
        yield text.rstrip("\r\n")
