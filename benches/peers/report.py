"""Runs of the peers to tables: what is said of each, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from adapters import THIS_PACKAGE
from bench import Detector
from record import table

__all__ = ["LEAST_RIGHT", "Measured", "Setting", "as_json", "as_markdown"]

# Of the texts in a language it knows, a detector that gets less than this right was called wrongly, or is broken.
LEAST_RIGHT = 0.5
# Processor time below this part of the wall clock: something else had the CPU.
_UNDISTURBED = 0.95


@dataclass(frozen=True)
class Setting:
    """What was measured, and where. Nothing names a place on the machine.

    Attributes:
        date: in ISO 8601.
        cpu: the processor's name.
        cpus: how many CPUs this process may use.
        system: the operating system.
        kernel: the kernel level of the package under test.
        commit: of its checkout, if it is one.
        python: version of its interpreter.
        data: name of the file of texts.
        labels: how many labels the texts have.
        texts: how many texts.
        n_bytes: their UTF-8 bytes.
        repeat: rounds.
        command: the command line.
    """

    date: str
    cpu: str
    cpus: int
    system: str
    kernel: str
    commit: str
    python: str
    data: str
    labels: int
    texts: int
    n_bytes: int
    repeat: int
    command: str


@dataclass
class Measured(Detector):
    """A peer and what its runs gave.

    Attributes:
        runs: results of the worker by number of threads, one a round.
    """

    runs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    def counted(self, threads: int) -> list[dict[str, Any]]:
        """The runs on ``threads`` threads, if they count."""
        return [] if self.refused() else self.runs.get(threads, [])

    def best(self, threads: int) -> Mapping[str, Any] | None:
        """The fastest of them, or None when there is none."""
        return min(self.counted(threads), key=lambda run: run["wall_s"], default=None)

    def refused(self) -> str:
        """Why the runs do not count; empty when they do."""
        if self.problem:
            return self.problem
        for run in (run for runs in self.runs.values() for run in runs):
            if run["asked"] == 0:
                return "no text is in a language that it knows: nothing says that it works"
            if run["right"] < LEAST_RIGHT * run["asked"]:
                return f"right on {run['right'] / run['asked']:.0%} of the texts it should know: not counted as working"
        return ""


def _speed(run: Mapping[str, Any]) -> float:
    return float(run["texts"]) / float(run["wall_s"])


def _number(value: float) -> str:
    """Three significant digits, thousands separated."""
    if value >= 1000:
        digits = len(str(int(value))) - 3
        return f"{round(value, -digits):,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _ratio(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]], clock: str) -> str:
    """How many times faster ours is, the best run of each by ``clock``; a dash where there is none."""
    if not ours or not theirs:
        return "-"
    seconds, other = (min(run[clock] / run["texts"] for run in runs) for runs in (ours, theirs))
    return f"{other / seconds:.2f}x"


def _speeds(measured: Sequence[Measured], threads: int) -> str:
    ours = next((one.counted(threads) for one in measured if one.peer.name == THIS_PACKAGE), [])
    # Of several threads, which peers use for different parts of their work, it would say little.
    clocks = ("wall_s", "cpu_s") if threads == 1 else ("wall_s",)
    head = ["detector", "texts/s", "MB/s", f"{THIS_PACKAGE} against it", *(["by CPU time"] if threads == 1 else []),
            "slowest run", "right, known languages", ""]  # fmt: skip
    rows = []
    for one in measured:
        best = one.best(threads)
        if best is None:
            reason = one.refused() or ("not run" if one.peer.parallel or threads == 1 else "has no way of its own")
            rows.append([one.peer.name, *["-"] * (len(head) - 2), reason])
            continue
        slowest = max(run["wall_s"] for run in one.runs[threads])
        alone = one.best(1) if threads > 1 else None
        remarks = []
        if one.peer.most_texts is not None and best["texts"] == one.peer.most_texts:
            remarks.append(f"first {best['texts']:,} texts only")
        if threads == 1 and best["cpu_s"] < _UNDISTURBED * best["wall_s"]:
            remarks.append(f"had the CPU for {best['cpu_s'] / best['wall_s']:.0%} of the time")
        if alone is not None:
            remarks.append(f"{_speed(best) / _speed(alone):.2f}x its one thread")
        rows.append([
            one.peer.name,
            _number(_speed(best)),
            _number(best["bytes"] / best["wall_s"] / 1e6),
            *(_ratio(ours, one.counted(threads), clock) for clock in clocks),
            f"{slowest / best['wall_s'] - 1:.0%}",
            f"{best['right'] / best['asked']:.1%}",
            "; ".join(remarks),
        ])  # fmt: skip
    return table(head, rows)


def _costs(measured: Sequence[Measured]) -> str:
    rows = []
    for one in measured:
        if one.refused():
            continue
        runs = one.runs.get(1) or next(iter(one.runs.values()), [])
        if not runs:
            continue
        memory = [run["memory"] for run in runs]
        now = [place["now"] for place in memory if place["now"] is not None]
        rows.append([
            one.peer.name,
            one.versions(),
            one.about["python"],
            str(len(one.about["languages"])),
            _number(1e3 * min(run["import_s"] for run in runs)),
            _number(1e3 * min(run["load_s"] for run in runs)),
            _number(min(now) / 1e6) if now else "-",
            _number(min(place["peak"] for place in memory) / 1e6),
            _number(one.about["sizes"]["own"] / 1e6),
            _number(one.about["sizes"]["dependencies"] / 1e6),
        ])  # fmt: skip
    head = ["detector", "version", "Python", "languages", "import ms", "load ms", "memory MB", "peak MB", "disk MB",
            "dependencies MB"]  # fmt: skip
    return table(head, rows)


def as_markdown(setting: Setting, measured: Sequence[Measured]) -> str:
    """The record: where and what, speeds for each number of threads, costs, and how each was called."""
    counts = sorted({threads for one in measured for threads in one.runs})
    parts = [
        f"# Detectors compared, {setting.date[:10]}, {setting.cpu}",
        f"{setting.texts:,} texts of `{setting.data}`, {setting.n_bytes:,} bytes of UTF-8, {setting.labels} labels, in "
        f"random order. {setting.cpu}, {setting.cpus} CPUs, {setting.system}. {THIS_PACKAGE} at commit "
        f"{setting.commit}, kernel level {setting.kernel}, Python {setting.python}.",
        "```sh\n" + setting.command + "\n```",
        "Each detector runs in a process of its own; they take turns, round after round. Of "
        f'{setting.repeat} rounds the best is shown; "slowest run" is how much longer the slowest took. The clock runs '
        "over detecting alone, from Python strings to Python answers, each text seen once, after 1,000 others. These "
        "machines are noisy: only ratios within one run count. The ratio by CPU time leaves out the time in which the "
        "CPU did something else.",
        '"Right, known languages" is a sanity check, no comparison of accuracy: over the texts whose language the '
        f"detector knows, codes matched loosely, macrolanguages as one. Below {LEAST_RIGHT:.0%} a detector is taken to "
        "be broken, and no speed is given.",
    ]  # fmt: skip
    for threads in counts:
        title = "1 thread, pinned to one CPU" if threads == 1 else f"{threads} threads on {threads} CPUs"
        parts += [f"## {title}", _speeds(measured, threads)]
    parts += [
        "## Loading, memory, disk",
        "Import: the modules. Load: from there to the first answer. Both best of all runs, files in the page cache. "
        "Memory: resident, interpreter included, after 1,000 texts; peak: the most until then. Disk: the detector's "
        "own packages and data; dependencies: everything else that pip installed with it. Millions of bytes.",
        _costs(measured),
        "## How each is called",
        "\n".join(f"- {one.peer.name}: {one.peer.note}" for one in measured),
    ]
    return "\n\n".join(parts) + "\n"


def as_json(setting: Setting, measured: Sequence[Measured]) -> dict[str, Any]:
    """Everything measured, each run of it, as JSON values."""
    peers = {
        one.peer.name: {
            "requirement": one.peer.requirement,
            "note": one.peer.note,
            "problem": one.refused(),
            **one.about,
            "runs": {str(threads): runs for threads, runs in one.runs.items()},
        }
        for one in measured
    }
    return {"setting": asdict(setting), "peers": peers}
