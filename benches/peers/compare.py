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
import random
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from adapters import PEERS, THIS_PACKAGE, Peer, UnavailableError, peer_named
from environments import clean_environment, environment_for, find_python, one_line
from report import Measured, Setting, as_json, as_markdown, slug
from worker import Job

HERE = Path(__file__).resolve().parent
# Detected before the clock starts; not among the timed texts.
WARM = 1000
SEED = 1
# Made with this version where there is one, so that every peer runs on the same Python.
PEER_PYTHON = (3, 12)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read and check the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        required=True,
        metavar="FILE",
        help="parquet file: a column 'text', and 'language' or 'iso_639_3' and 'iso_15924'",
    )
    add("--model-path", type=Path, required=True, metavar="DIR", help="model directory of this package")
    add("--table", choices=("e3m4", "e4m3fn", "float32"), default="e3m4", help="its table (default: %(default)s)")
    add("--features", choices=("all", "tokens", "ngrams"), default="all", help="its rows (default: %(default)s)")
    add(
        "--tokenizer",
        type=Path,
        metavar="FILE",
        help="tokenizer.json for the reference implementation (default: the model's)",
    )
    add("--labels", nargs="+", metavar="LABEL", help="only texts of these languages (default: those of the model)")
    add("--limit", type=_positive, metavar="N", help="how many texts (default: all)")
    add("--threads", nargs="+", type=_threads, default=[1, 0], metavar="N|all", help="default: 1 all")
    add("--repeat", type=_positive, default=3, metavar="N", help="rounds (default: %(default)s)")
    names = [peer.name for peer in PEERS]
    add(
        "--peers",
        nargs="+",
        choices=names,
        default=names,
        metavar="NAME",
        help="which, beside this package: " + ", ".join(names[1:]),
    )
    add(
        "--wldetect-python",
        type=Path,
        default=Path(sys.executable),
        metavar="PYTHON",
        help="interpreter that has this package (default: the one that runs this)",
    )
    add("--peer-python", type=Path, metavar="PYTHON", help="interpreter to make the environments with (default: 3.12)")
    add(
        "--cache",
        type=Path,
        metavar="DIR",
        help="where environments are kept (default: peers/ in $WLDETECT_CACHE or ~/.cache/wldetect)",
    )
    add("--records", type=Path, default=HERE / "records", metavar="DIR", help="where the record goes")
    add("--no-record", action="store_true", help="print the table only")
    add("--timeout", type=_positive, default=1800, metavar="SECONDS", help="for one run (default: %(default)s)")
    options = parser.parse_args(arguments)  # fmt: skip
    if not options.data.is_file():
        parser.error(f"--data: there is no file {options.data}")
    if not options.model_path.is_dir():
        parser.error(f"--model-path: there is no directory {options.model_path}")
    options.tokenizer = options.tokenizer or options.model_path / "tokenizer.json"
    options.cache = options.cache or cache_dir()
    available = cpu_count()
    options.threads = sorted({threads or available for threads in options.threads})
    if options.threads[-1] > available:
        parser.error(f"--threads: {options.threads[-1]} asked for, {available} CPUs may be used")
    return options


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, found {value}")
    return value


def _threads(text: str) -> int:
    return 0 if text == "all" else _positive(text)


def cache_dir() -> Path:
    """Where environments are kept unless the command line says otherwise."""
    return Path(os.environ.get("WLDETECT_CACHE") or Path.home() / ".cache" / "wldetect").expanduser() / "peers"


def cpu_count() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    """The processor's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
             ] if info.exists() else []  # fmt: skip
    return names[0] if names else platform.processor() or platform.machine()


def read_texts(path: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of a parquet file. Rows without a text or a label are left out.

    Raises:
        SystemExit: a column is missing.
    """
    import pyarrow.parquet as pq

    names = pq.read_schema(path).names
    code = ["language"] if "language" in names else ["iso_639_3", "iso_15924"]
    for name in ("text", *code):
        if name not in names:
            raise SystemExit(f"{path}: expected a column {name!r}, found {', '.join(names)}")
    table = pq.read_table(path, columns=["text", *code])
    texts, *parts = (table.column(name).to_pylist() for name in ("text", *code))
    rows = [(text, "_".join(label)) for text, *label in zip(texts, *parts, strict=True) if text and all(label)]
    return [text for text, _ in rows], [label for _, label in rows]


def choose(
    texts: Sequence[str], labels: Sequence[str], wanted: Sequence[str], limit: int | None
) -> tuple[list[str], list[str], list[str]]:
    """Texts to warm up with, texts to time and their labels: those with a label of ``wanted``, in random order.

    Raises:
        SystemExit: too few are left.
    """
    known = set(wanted)
    rows = [(text, label) for text, label in zip(texts, labels, strict=True) if label in known]
    random.Random(SEED).shuffle(rows)
    warm = min(WARM, len(rows) // 2)
    if warm < 2:
        raise SystemExit(f"only {len(rows)} texts have one of the {len(known)} labels")
    timed = rows[warm:][:limit]
    return [text for text, _ in rows[:warm]], [text for text, _ in timed], [label for _, label in timed]


class Bench:
    """Runs workers, one at a time, with their files in a temporary directory."""

    def __init__(self, options: argparse.Namespace, place: Path) -> None:
        self._options = options
        self._place = place
        self._pythons: dict[str, Path] = {}

    def install(self, peer: Peer) -> None:
        """Find or make the environment of ``peer``.

        Raises:
            UnavailableError: that failed.
        """
        if peer.requirement is None:
            self._pythons[peer.name] = self._options.wldetect_python
            return
        python = self._options.peer_python or find_python(peer.python or PEER_PYTHON)
        if python is None:
            if peer.python is not None:
                raise UnavailableError("needs Python {}.{}, which is not here".format(*peer.python))
            python = Path(sys.executable)
        self._pythons[peer.name] = environment_for(peer, python, self._options.cache)

    def work(self, peer: Peer, threads: int, *, warm: Path, texts: Path | None) -> dict[str, Any]:
        """What a worker found.

        Raises:
            UnavailableError: it failed, or took too long.
        """
        options = self._options
        job = Job(peer.name, threads, str(options.model_path.resolve()), options.table, options.features,
                  str(options.tokenizer.resolve()), str(warm), None if texts is None else str(texts))  # fmt: skip
        description, out = self._place / "job.json", self._place / "result.json"
        description.write_text(json.dumps(asdict(job)), encoding="utf-8")
        out.unlink(missing_ok=True)
        # Not resolved: through a virtual environment's link, an interpreter would forget the environment.
        command = [str(self._pythons[peer.name].absolute()), str(HERE / "worker.py"), str(description), str(out)]
        environment = clean_environment(threads, keep_python_path=peer.requirement is None)
        try:
            done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  text=True, errors="replace", timeout=options.timeout)  # fmt: skip
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"stopped after {options.timeout} s") from None
        if done.returncode or not out.exists():
            raise UnavailableError(one_line(done.stderr) if done.returncode >= 0 else f"signal {-done.returncode}")
        result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        if "unavailable" in result:
            raise UnavailableError(result["unavailable"])
        return result


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def prepare(bench: Bench, measured: Sequence[Measured], warm: Path) -> None:
    """Install every peer and ask each what it is; those that fail are marked."""
    for one in measured:
        say(f"{one.peer.name}: getting ready")
        try:
            bench.install(one.peer)
            one.about = bench.work(one.peer, 1, warm=warm, texts=None)
        except UnavailableError as reason:
            one.problem = str(reason)
            say(f"{one.peer.name}: {reason}")


def measure(bench: Bench, measured: Sequence[Measured], warm: Path, texts: Path, rounds: int,
            counts: Sequence[int]) -> None:  # fmt: skip
    """Time every peer, in turns."""
    for number in range(1, rounds + 1):
        for threads in counts:
            for one in measured:
                if one.problem or (threads > 1 and not one.peer.parallel):
                    continue
                try:
                    run = bench.work(one.peer, threads, warm=warm, texts=texts)
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
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        commit = ""
    return Setting(
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        cpu=cpu_name(),
        cpus=cpu_count(),
        system=f"{platform.system()} {platform.machine()}",
        kernel=level,
        commit=commit or "unknown",
        python=about.get("python", "unknown"),
        data=options.data.name,
        labels=len(set(labels)),
        texts=len(texts),
        n_bytes=sum(len(text.encode()) for text in texts),
        repeat=options.repeat,
        command="python benches/peers/compare.py " + shlex.join(map(placeless, arguments)),
    )


def placeless(argument: str) -> str:
    """``argument`` without directories of this machine."""
    return Path(argument).name if os.sep in argument else argument


def write_record(records: Path, setting: Setting, measured: Sequence[Measured]) -> Path:
    """Write the tables and the numbers; the path of the tables."""
    records.mkdir(parents=True, exist_ok=True)
    path = records / f"{setting.date[:10]}-{slug(setting.cpu)}.md"
    path.write_text(as_markdown(setting, measured), encoding="utf-8")
    numbers = json.dumps(as_json(setting, measured), indent=1, ensure_ascii=False)
    path.with_suffix(".json").write_text(numbers + "\n", encoding="utf-8")
    return path


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
                wanted = bench.work(this, 1, warm=warm, texts=None)["languages"]
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
    print(as_markdown(setting, measured), end="")
    if interrupted:
        return 130
    if not options.no_record:
        say(f"written: {write_record(options.records, setting, measured)}")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        # Before there was anything to print.
        raise SystemExit(130) from None
