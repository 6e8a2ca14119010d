"""One detector in a fresh process: import, load, detect. Started by compare.py with the detector's own interpreter.

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

from adapters import Options, UnavailableError, peer_named
from codes import score


@dataclass(frozen=True)
class Job:
    """A run. Paths are text, because this comes from JSON.

    Attributes:
        peer: the name of the peer.
        threads: how many threads, and how many CPUs.
        model_path: the model directory of this package.
        table: dtype of its table.
        features: the families of its rows to detect with.
        tokenizer: the tokenizer.json for the reference implementation.
        warm: JSON list of texts that are detected before the clock starts.
        texts: JSON object of "texts" and "labels"; None: nothing is timed.
    """

    peer: str
    threads: int
    model_path: str
    table: Literal["e3m4", "e4m3fn", "float32"]
    features: Literal["all", "tokens", "ngrams"]
    tokenizer: str
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
    files = [file for file in package.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    # The other files belong to training and evaluation.
    needed = (f"lookup_table_fp8_{options.table}.*", f"lookup_table_{options.table}.*", "ngram_table*", "tokenizer*")
    model = {file for pattern in needed for file in options.model_path.glob(pattern) if file.is_file()}
    level = getattr(wldetect._core, "kernel_level", None)
    return {
        "versions": {"wldetect": wldetect.__version__},
        "sizes": {"own": sum(file.stat().st_size for file in (*files, *model)), "dependencies": 0},
        "kernel": level() if callable(level) else level,
    }


def run(job: Job) -> dict[str, Any]:
    """Import, load, detect a first text, 1,000 more, and then, on the clock, the texts.

    The result has times in seconds and sizes in bytes; "unavailable" alone when the peer cannot run here.
    """
    if hasattr(os, "sched_setaffinity"):
        # As many CPUs as threads, so that neither more threads nor moves between CPUs can blur the comparison.
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cpus[-job.threads :])
    peer = peer_named(job.peer)
    options = Options(Path(job.model_path), job.table, job.features, Path(job.tokenizer), job.threads)
    warm: list[str] = json.loads(Path(job.warm).read_text(encoding="utf-8"))
    if peer.one_line:
        warm = [_one_line(text) for text in warm]

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
    result: dict[str, Any] = {
        "import_s": imported - begun,
        "load_s": ready - imported,
        "memory": memory(),
    }
    languages = sorted(set(loaded.languages()))
    if job.texts is None:
        about = this_package(options) if peer.requirement is None else distributions(peer.own)
        if peer.name == "reference":
            about["sizes"]["own"] += options.tokenizer.stat().st_size
        return result | about | {"languages": languages, "python": platform.python_version()}

    data = json.loads(Path(job.texts).read_text(encoding="utf-8"))
    count = len(data["texts"]) if peer.most_texts is None else min(peer.most_texts, len(data["texts"]))
    texts: list[str] = data["texts"][:count]
    if peer.one_line:
        texts = [_one_line(text) for text in texts]
    n_bytes = sum(len(text.encode()) for text in texts)
    cpu, wall = time.process_time(), time.perf_counter()
    answers = loaded.detect(texts)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    right, asked = score(loaded.codes(answers), data["labels"][:count], languages)
    return result | {"texts": count, "bytes": n_bytes, "wall_s": wall, "cpu_s": cpu, "right": right, "asked": asked}


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())


def main() -> int:
    description, out = (Path(argument) for argument in sys.argv[1:])
    result = run(Job(**json.loads(description.read_text(encoding="utf-8"))))
    out.write_text(json.dumps(result), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
