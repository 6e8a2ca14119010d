"""One detector in a fresh process: import, load, detect. Started by bench.py with the detector's own interpreter.

Reads a JSON description of the run and writes a JSON result; see `Job` and `run`. Peers print what they like: standard
output is not read.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from adapters import Loaded, Options, Peer, UnavailableError, peer_named
from codes import score

# What a run is for: what the detector is, how fast it is, or what it answers.
Kind = Literal["describe", "time", "answer"]


@dataclass(frozen=True)
class Job:
    """A run. Paths are text, because this comes from JSON.

    Attributes:
        peer: the name of the peer.
        kind: what it is for.
        threads: how many threads, and how many CPUs.
        model_path: the model directory of this package; None: the model inside it.
        table: dtype of its table.
        features: the families of its rows to detect with.
        tokenizer: the tokenizer.json for the reference implementation; None: there is none.
        warm: JSON list of texts that are detected beforehand, before any clock starts.
        texts: JSON object of "texts" and, to time, "labels"; None to describe.
    """

    peer: str
    kind: Kind
    threads: int
    model_path: str | None
    table: Literal["e3m4", "e4m3fn", "float32"]
    features: Literal["all", "tokens", "ngrams"]
    tokenizer: str | None
    warm: str
    texts: str | None


def memory() -> dict[str, float | None]:
    """Resident memory now and at its peak, in bytes; now is None where the system does not say."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    found: dict[str, float | None] = {"now": None, "peak": peak * (1 if sys.platform == "darwin" else 1024)}
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        # Of this process alone: the peak above is inherited from the parent across fork and exec.
        for name, key in (("now", "VmRSS"), ("peak", "VmHWM")):
            if key in lines:
                found[name] = int(lines[key].split()[0]) * 1024
    return found


def distributions(own: tuple[str, ...]) -> dict[str, Any]:
    """Versions of what is installed, and its size in bytes: the peer's own files, and those of everything else."""
    versions: dict[str, str] = {}
    sizes = {"own": 0, "dependencies": 0}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"].lower().replace("_", "-")
        if name in ("pip", "setuptools", "wheel"):
            continue
        versions[name] = distribution.version
        files = [Path(str(distribution.locate_file(file))) for file in distribution.files or ()]
        size = sum(file.stat().st_size for file in files if file.is_file() and file.suffix != ".pyc")
        sizes["own" if name in own else "dependencies"] += size
    return {"versions": versions, "sizes": sizes}


def this_package(options: Options) -> dict[str, Any]:
    """The same for this package: its directory and, of the model's, what detecting needs."""
    import wldetect

    package = Path(wldetect.__file__).parent
    inside = package / "model"
    files = {file for file in package.rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    # The other files of a model directory belong to training and evaluation.
    needed = (f"lookup_table_fp8_{options.table}.*", f"lookup_table_{options.table}.*", "ngram_table*", "tokenizer*")
    model_path = inside if options.model_path is None else options.model_path
    model = {file for pattern in needed for file in model_path.glob(pattern) if file.is_file()}
    code = {file for file in files if inside not in file.parents}
    level = getattr(wldetect._core, "kernel_level", None)
    return {
        "versions": {"wldetect": wldetect.__version__},
        "sizes": {"own": sum(file.stat().st_size for file in code | model), "dependencies": 0},
        "kernel": level() if callable(level) else level,
    }


def run(job: Job) -> dict[str, Any]:
    """Import, load, detect a first text and those to warm up with; then what the run is for.

    To time, the result has times in seconds and sizes in bytes; to answer, "codes", a code or None for each text. It
    is "unavailable" alone when the peer cannot run here.
    """
    if hasattr(os, "sched_setaffinity"):
        # As many CPUs as threads, so that neither more threads nor moves between CPUs can blur the comparison.
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cpus[-job.threads :])
    peer = peer_named(job.peer)
    model_path, tokenizer = (None if path is None else Path(path) for path in (job.model_path, job.tokenizer))
    options = Options(model_path, job.table, job.features, tokenizer, job.threads)
    warm = _readable(peer, json.loads(Path(job.warm).read_text(encoding="utf-8")))

    begun = time.perf_counter()
    for module in peer.modules:
        importlib.import_module(module)
    imported = time.perf_counter()
    try:
        loaded = peer.load(options)
    except UnavailableError as reason:
        return {"unavailable": str(reason)}
    loaded.detect(warm[:1])
    ready = time.perf_counter()
    loaded.detect(warm[1:])
    costs = {"import_s": imported - begun, "load_s": ready - imported, "memory": memory()}
    # Not before memory is measured.
    data = {} if job.texts is None else json.loads(Path(job.texts).read_text(encoding="utf-8"))
    match job.kind:
        case "describe":
            return costs | describe(peer, options, loaded)
        case "time":
            return costs | time_texts(peer, loaded, data["texts"], data["labels"])
        case "answer":
            return {"codes": loaded.codes(loaded.detect(_readable(peer, data["texts"])))}


def describe(peer: Peer, options: Options, loaded: Loaded) -> dict[str, Any]:
    """What is installed, which languages it knows, and the version of Python."""
    about = this_package(options) if peer.requirement is None else distributions(peer.own)
    if peer.name == "reference" and options.tokenizer is not None:
        about["sizes"]["own"] += options.tokenizer.stat().st_size
    return about | {"languages": sorted(set(loaded.languages())), "python": platform.python_version()}


def time_texts(peer: Peer, loaded: Loaded, all_texts: list[str], labels: list[str]) -> dict[str, Any]:
    """How long detecting took, how much was detected, and how much of it rightly."""
    count = len(all_texts) if peer.most_texts is None else min(peer.most_texts, len(all_texts))
    texts = _readable(peer, all_texts[:count])
    n_bytes = sum(len(text.encode()) for text in texts)
    cpu, wall = time.process_time(), time.perf_counter()
    answers = loaded.detect(texts)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    right, asked = score(loaded.codes(answers), labels[:count], loaded.languages())
    return {"texts": count, "bytes": n_bytes, "wall_s": wall, "cpu_s": cpu, "right": right, "asked": asked}


def _readable(peer: Peer, texts: list[str]) -> list[str]:
    """``texts`` as ``peer`` takes them."""
    return [" ".join(text.splitlines()) for text in texts] if peer.one_line else texts


def main() -> int:
    description, out = (Path(argument) for argument in sys.argv[1:])
    result = run(Job(**json.loads(description.read_text(encoding="utf-8"))))
    out.write_text(json.dumps(result), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
