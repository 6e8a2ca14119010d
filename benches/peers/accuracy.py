#!/usr/bin/env python3
"""Compare this package with other language detectors: accuracy and macro-F1, on the same texts.

Each detector is given the texts of the languages that it knows, and this package is scored on the very same; then all
are scored on the languages that every one knows. Peers are installed and run as by compare.py, but no clock runs.

Run it with the interpreter that has wldetect installed with its training extras (`make peers-accuracy` does):

    python benches/peers/accuracy.py --data dev.parquet
    python benches/peers/accuracy.py --data dev.parquet --languages configs/models/gemma3-270m.yaml
    python benches/peers/accuracy.py --data dev.parquet --model-path out --peers pycld2 lingua --limit 20000 --no-record

The tables go to standard output and, with the same numbers as JSON, into the directory of records.
Ctrl-C ends it and prints what is finished.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from accuracy_report import Setting, as_json, as_markdown
from adapters import PEERS, THIS_PACKAGE, UnavailableError
from answers import Answered
from bench import Bench, prepare, say
from codes import language_key
from options import add_shared_options, check_shared_options, count_of_threads, cpu_count, positive
from record import command_line, commit, slug, write_record
from texts import even_order, read_texts

from wldetect import WLDetectError
from wldetect.config import load_model_config


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read and check the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--languages", type=Path, metavar="FILE", help="a model configuration: only texts of its languages")
    add(
        "--limit-slow",
        type=positive,
        default=20_000,
        metavar="N",
        help="how many of them peers get that are slow (default: %(default)s)",
    )
    add(
        "--threads",
        type=count_of_threads,
        default=cpu_count(),
        metavar="N|all",
        help="for peers that have a way of their own to use several (default: all)",
    )
    # Another way to call this package would answer the same.
    names = [peer.name for peer in PEERS if peer.requirement is not None or peer.name == THIS_PACKAGE]
    add_shared_options(parser, names)
    options = parser.parse_args(arguments)
    check_shared_options(parser, options)
    if options.languages is not None and not options.languages.is_file():
        parser.error(f"--languages: there is no file {options.languages}")
    return options


def read(options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """The texts to use and their labels, in even order.

    Raises:
        SystemExit: there are none, a column is missing, or the model configuration is wrong.
    """
    texts, labels = read_texts(options.data)
    order = even_order(labels)
    if options.languages is not None:
        try:
            wanted = set(load_model_config(options.languages).labels)
        except WLDetectError as error:
            raise SystemExit(str(error)) from None
        order = [position for position in order if labels[position] in wanted]
    order = order[: options.limit]
    if not order:
        raise SystemExit(f"{options.data}: expected texts with a label to use, found none")
    return [texts[position] for position in order], [labels[position] for position in order]


def ask(bench: Bench, detectors: Sequence[Answered], texts: Sequence[str], truth: Sequence[str], *, limit_slow: int,
        threads: int, place: Path) -> None:  # fmt: skip
    """Give each detector the texts of its languages, and this package all; ``truth`` has the languages of texts."""
    given, warm = place / "texts.json", place / "warm.json"
    for one in detectors:
        if one.problem:
            continue
        known = set(truth) if one.peer.name == THIS_PACKAGE else one.knows()
        positions = [position for position, language in enumerate(truth) if language in known]
        if one.peer.most_texts is not None:
            positions = positions[:limit_slow]
        if not positions:
            one.problem = "no text is in a language that it knows"
            continue
        say(f"{one.peer.name}: {len(positions):,} texts")
        given.write_text(json.dumps({"texts": [texts[position] for position in positions]}), encoding="utf-8")
        try:
            result = bench.work(one.peer, "answer", threads if one.peer.parallel else 1, warm=warm, texts=given)
        except UnavailableError as reason:
            one.problem = str(reason)
            say(f"{one.peer.name}: {reason}")
            continue
        one.given = positions
        one.answers = [None if code is None else language_key(code) for code in result["codes"]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    say(f"reading {options.data.name}")
    texts, labels = read(options)
    truth = [language_key(label) for label in labels]
    # In the order of the table, whatever order they were named in; this package first, as the others need its answers.
    wanted = {*options.peers, THIS_PACKAGE}
    detectors = [Answered(peer) for peer in PEERS if peer.name in wanted]
    interrupted = False
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        warm = place / "warm.json"
        warm.write_text(json.dumps(texts[:2]), encoding="utf-8")
        bench = Bench(options, place)
        try:
            for some in (detectors[:1], detectors[1:]):
                prepare(bench, some, warm)
                ask(bench, some, texts, truth, limit_slow=options.limit_slow, threads=options.threads, place=place)
                if detectors[0].problem:
                    raise SystemExit(f"{options.wldetect_python}: wldetect does not run: {detectors[0].problem}")
        except KeyboardInterrupt:
            interrupted = True
            say("interrupted: what is finished follows")
    setting = Setting(
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        commit=commit(),
        model=None if options.model_path is None else options.model_path.resolve().name,
        data=options.data.name,
        languages=None if options.languages is None else options.languages.name,
        command=command_line("accuracy.py", arguments),
    )
    markdown = as_markdown(setting, detectors, labels)
    print(markdown, end="")
    if interrupted:
        return 130
    if not options.no_record:
        files = [options.data, *([] if options.languages is None else [options.languages])]
        name = "-".join([setting.date[:10], "accuracy", *(slug(file.stem) for file in files)])
        say(f"written: {write_record(options.records, name, markdown, as_json(setting, detectors, labels))}")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        # Before there was anything to print.
        raise SystemExit(130) from None
