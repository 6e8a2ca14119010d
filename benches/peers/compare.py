#!/usr/bin/env python3
"""Compare this package with other language detectors: speed, loading, memory, size on disk.

Each peer is installed by pip into a virtual environment of its own, which is kept and used again. Every run is a fresh
process; peers take turns, so that whatever else the machine does hits all alike. Only ratios within one run count.

Run it with the interpreter that has wldetect installed and pyarrow (`make peers` does):

    python benches/peers/compare.py --model-path artifacts/gemma3-270m --data dev.parquet
    python benches/peers/compare.py --model-path artifacts/starter --data dev.parquet --limit 20000 --threads 1
    python benches/peers/compare.py ... --peers wldetect pycld2 eldc --no-record

The table goes to standard output and, with the same numbers as JSON, into the directory of records.
Ctrl-C ends the measuring and prints what is finished.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from adapters import PEERS, THIS_PACKAGE, UnavailableError, peer_named
from bench import Bench, prepare, say
from options import add_shared_options, check_shared_options, count_of_threads, cpu_count, positive
from record import command_line, commit, slug, write_record
from report import Measured, Setting, as_json, as_markdown
from texts import choose, read_texts


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read and check the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--labels", nargs="+", metavar="LABEL", help="only texts of these languages (default: those of the model)")
    add("--threads", nargs="+", type=count_of_threads, default=[1, cpu_count()], metavar="N|all", help="default: 1 all")
    add("--repeat", type=positive, default=3, metavar="N", help="rounds (default: %(default)s)")
    add_shared_options(parser, [peer.name for peer in PEERS])
    options = parser.parse_args(arguments)
    check_shared_options(parser, options)
    options.threads = sorted(set(options.threads))
    return options


def cpu_name() -> str:
    """The processor's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
             ] if info.exists() else []  # fmt: skip
    return names[0] if names else platform.processor() or platform.machine()


def measure(bench: Bench, measured: Sequence[Measured], warm: Path, texts: Path, rounds: int,
            counts: Sequence[int]) -> None:  # fmt: skip
    """Time every peer, in turns."""
    for number in range(1, rounds + 1):
        for threads in counts:
            for one in measured:
                if one.problem or (threads > 1 and not one.peer.parallel):
                    continue
                try:
                    run = bench.work(one.peer, "time", threads, warm=warm, texts=texts)
                except UnavailableError as reason:
                    one.problem = str(reason)
                    say(f"{one.peer.name}: {reason}")
                    continue
                one.runs.setdefault(threads, []).append(run)
                speed = run["texts"] / run["wall_s"]
                say(f"round {number}/{rounds}, {threads} thread(s), {one.peer.name}: {speed:,.0f} texts/s")


def setting_of(options: argparse.Namespace, about: dict[str, Any], texts: Sequence[str], labels: Sequence[str],
               arguments: Sequence[str]) -> Setting:  # fmt: skip
    """What the record says of this machine and these texts."""
    flags = Path("/proc/cpuinfo")
    words = set(flags.read_text().split()) if flags.exists() else set()
    forced = os.environ.get("WLDETECT_KERNEL")
    seen = ", ".join(name for name in ("avx2", "avx512bw", "asimd") if name in words) or "not known"
    level = about.get("kernel") or (f"{forced} (forced)" if forced else f"chosen by the build; the CPU has: {seen}")
    return Setting(
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        cpu=cpu_name(),
        cpus=cpu_count(),
        system=f"{platform.system()} {platform.machine()}",
        kernel=level,
        commit=commit(),
        python=about.get("python", "unknown"),
        data=options.data.name,
        labels=len(set(labels)),
        texts=len(texts),
        n_bytes=sum(len(text.encode()) for text in texts),
        repeat=options.repeat,
        command=command_line("compare.py", arguments),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    # In the order of the table, whatever order they were named in; this package first, for its languages.
    measured = [Measured(peer) for peer in PEERS if peer.name in {*options.peers, THIS_PACKAGE}]
    interrupted = False
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        warm, timed = place / "warm.json", place / "texts.json"
        bench = Bench(options, place)
        say(f"reading {options.data.name}")
        all_texts, all_labels = read_texts(options.data)
        wanted = options.labels
        if wanted is None:
            warm.write_text(json.dumps(all_texts[:2]), encoding="utf-8")
            this = peer_named(THIS_PACKAGE)
            bench.install(this)
            try:
                wanted = bench.work(this, "describe", 1, warm=warm)["languages"]
            except UnavailableError as reason:
                raise SystemExit(f"{options.wldetect_python}: wldetect does not run: {reason}") from None
        warm_texts, texts, labels = choose(all_texts, all_labels, wanted, options.limit)
        warm.write_text(json.dumps(warm_texts), encoding="utf-8")
        timed.write_text(json.dumps({"texts": texts, "labels": labels}), encoding="utf-8")
        try:
            prepare(bench, measured, warm)
            measure(bench, measured, warm, timed, options.repeat, options.threads)
        except KeyboardInterrupt:
            interrupted = True
            say("interrupted: what is finished follows")
    setting = setting_of(options, measured[0].about, texts, labels, arguments)
    markdown = as_markdown(setting, measured)
    print(markdown, end="")
    if interrupted:
        return 130
    if not options.no_record:
        name = f"{setting.date[:10]}-{slug(setting.cpu)}"
        say(f"written: {write_record(options.records, name, markdown, as_json(setting, measured))}")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        # Before there was anything to print.
        raise SystemExit(130) from None
