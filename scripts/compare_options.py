#!/usr/bin/env python3
"""Train once for each of some named options, score every model on sets of texts, and print a table.

The options come from a file such as configs/ablations/training.yaml: `config`, a training file; `common`, overrides
that every run has; `options`, for each name the overrides of that run. Sets are the parquet files of --variants
(columns text and language; single words or noisy sentences, say) and full sentences, --flores; texts of languages that
a model lacks are left out, as `wldetect eval` does. Token ids and embeddings are cached between the runs.

With --output FILE.json, everything measured is written there after each run, and beside it the table, FILE.md, and a
plot of accuracy against the time of detection, FILE.png. The same command then goes on where it stopped: a run whose
configuration and sets are in the file already is not made again. (What the training data hold is not looked at.)

example: python scripts/compare_options.py configs/ablations/training.yaml --data data/corpora \\
           --flores data/flores/dev.parquet --variants data/flores/variants --output options.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

# As the command does, before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from pydantic import Field, ValidationError

from wldetect import __version__
from wldetect.analysis.figures import save_png
from wldetect.cli.options import thread_count
from wldetect.config import ResolvedConfig, load_model_config, load_training_config, parse_override, resolve_path
from wldetect.config.fields import Section, Text
from wldetect.config.messages import dotted, found, problems_of
from wldetect.config.yaml_text import read_yaml
from wldetect.errors import ConfigError, DataError, WLDetectError
from wldetect.evaluation import LabelledTexts, evaluate
from wldetect.evaluation.flores import load_flores
from wldetect.evaluation.run import open_detector
from wldetect.evaluation.suite import SENTENCES, load_suite
from wldetect.evaluation.trade_plot import Trade, draw_trades
from wldetect.files import atomic_path
from wldetect.training.run import TrainingRun, run_training

Run = dict[str, Any]
_NAME = Path(__file__).name
# Texts of a set that detection is timed on, and how often.
_TIMED = 20_000
_ROUNDS = 5
# Names of ways to score a model: as users do, before quantization, and by rows of tokens alone.
USUAL, EXACT = "e3m4", "float32"
# By rows of one family alone: what is said behind the option's name, and the rows.
_ALONE = {f"{USUAL}, tokens alone": "tokens", f"{USUAL}, n-grams alone": "ngrams"}


class Ablation(Section):
    """The file of options.

    Attributes:
        config: the training file, relative to this file or else to the current directory.
        common: overrides of every run, by dotted key.
        options: overrides of each run, by the run's name.
    """

    config: Text
    common: dict[str, Any] = Field(default={})
    options: Annotated[dict[str, dict[str, Any]], Field(min_length=1, description="a mapping of names to overrides")]


@dataclass(frozen=True)
class Scoring:
    """A way to score a model: by which of its tables, and by which rows, None being all."""

    table: str
    features: str | None = None


@dataclass(frozen=True)
class Option:
    """One run to make.

    Attributes:
        name: of the option.
        overrides: of the training file, by dotted key, in the order they are applied.
        config: the training file with these overrides.
        fingerprint: SHA-256 of the configuration, but for where the model is written and for keys that are as they
            are by default.
        scorings: ways to score its model, by name.
    """

    name: str
    overrides: dict[str, Any]
    config: ResolvedConfig
    fingerprint: str
    scorings: dict[str, Scoring]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; returns the exit status: 2 where the input is at fault or a run failed, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        return _compare(options)
    except (WLDetectError, OSError) as error:
        named = isinstance(error, OSError) and error.filename is not None
        print(f"{_NAME}: error: {f'{error.filename}: {error.strerror}' if named else error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{_NAME}: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("options", type=Path, metavar="FILE", help="the file of options")
    parser.add_argument("--data", type=Path, help="the training corpus, in place of dataset.name")
    parser.add_argument("--flores", type=Path, help="full sentences to score on: FLORES dev, a parquet file")
    parser.add_argument("--variants", type=Path, metavar="DIR", help="parquet files to score on, each one set")
    parser.add_argument("--languages", type=Path, help="a model configuration: score on texts of its languages alone")
    overrides = "a key of the training file for all runs, over those of the file of options; may be repeated"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=overrides)
    parser.add_argument(
        "--alone", action="store_true", help="score models with rows of n-grams by each family of rows alone, too"
    )
    parser.add_argument("--only", metavar="TEXT", help="only options whose name contains this")
    parser.add_argument("--threads", type=thread_count, metavar="N", help="threads of scoring (default: one a core)")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="what was measured, and need not be again")
    return parser


def _compare(options: argparse.Namespace) -> int:
    if options.output is not None and options.output.suffix != ".json":
        raise ConfigError(f"command line: --output: expected a file of type .json, found {options.output}")
    if options.variants is None and options.flores is None:
        raise ConfigError("command line: expected --variants, --flores, or both, found neither")
    with tempfile.TemporaryDirectory() as temporary:
        # Before anything is trained, so that mistakes are found out now.
        wanted = _read_options(options, Path(temporary) / "model")
        sets = _load_sets(options)
        runs = {} if options.output is None else _read_runs(options.output)
        failed = False
        for option in wanted:
            known = _is_done(runs.get(option.name), option, sets)
            print(f"== {option.name}{f': is in {options.output} already' if known else ''}", file=sys.stderr)
            if known:
                continue
            try:
                runs[option.name] = _measure(option, sets, options.threads)
            except WLDetectError as error:
                if getattr(error, "interrupted", False):
                    raise KeyboardInterrupt from None
                # Others may be worth their time all the same: a learning rate too large for one option, say.
                print(f"{_NAME}: error: {option.name}: {error}", file=sys.stderr)
                failed = True
                continue
            print(f"{option.name}: {_accuracies(runs[option.name])}", file=sys.stderr)
            if options.output is not None:
                _write(options.output, json.dumps({"runs": runs}, indent=1, ensure_ascii=False))
                _report(_done(runs, wanted, sets), sets, options.output)
        done = _done(runs, wanted, sets)
        if options.output is not None:
            _report(done, sets, options.output)
    print(format_table(done, list(sets)))
    return 2 if failed else 0


def _report(runs: Mapping[str, Run], sets: Mapping[str, LabelledTexts], output: Path) -> None:
    """Write the table, and the plot of accuracy against time, beside the results."""
    _write(output.with_suffix(".md"), format_table(runs, list(sets)))
    trades = {
        name: [
            Trade(
                option + scoring.removeprefix(USUAL),
                _multiple(run["microseconds"][name], _ALONE.get(scoring, "all")),
                run["scores"][scoring][name]["accuracy"],
            )
            for option, run in runs.items()
            for scoring in (USUAL, *_ALONE)
            if scoring in run["scores"]
        ]
        for name in _ends(sets)
    }
    save_png(draw_trades(trades, f"{output.stem}: accuracy against time"), output.with_suffix(".png"))


def _read_options(options: argparse.Namespace, output: Path) -> list[Option]:
    path: Path = options.options
    try:
        ablation = Ablation.model_validate(read_yaml(path))
    except ValidationError as error:
        first = problems_of(error, Ablation)[0]
        raise ConfigError(f"{path}: {dotted(first.path)}: {first.text}") from None
    config = resolve_path(ablation.config, path)
    if config is None:
        raise ConfigError(f"{path}: config: expected an existing file, found no '{ablation.config}'")
    given: dict[str, Any] = dict(parse_override(text) for text in options.set)
    if options.data is not None:
        given["dataset.name"] = str(options.data.resolve())
    wanted = []
    for name, own in ablation.options.items():
        if options.only and options.only not in name:
            continue
        overrides = joined(ablation.common, own, given)
        always = {"output.artifacts_dir": str(output), "training.save_checkpoints": False}
        try:
            loaded = load_training_config(config, joined(overrides, always))
        except ConfigError as error:
            raise ConfigError(f"{path}: options: {name}: {error}") from None
        # The data of --data are told by the fingerprint; their path is this machine's business.
        kept = {key: value for key, value in overrides.items() if options.data is None or key != "dataset.name"}
        wanted.append(Option(name, kept, loaded, _fingerprint(loaded), _scorings(loaded, options.alone)))
    if not wanted:
        raise ConfigError(f"{path}: options: expected one whose name contains {found(options.only)}, found none")
    return wanted


def joined(*several: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides one after the other: one that is given again moves to the end, after keys that lie inside it."""
    overrides: dict[str, Any] = {}
    for more in several:
        for key, value in more.items():
            overrides.pop(key, None)
            overrides[key] = value
    return overrides


def _fingerprint(config: ResolvedConfig) -> str:
    # Keys that are new in the schema, and at their defaults, change no run.
    training = config.training.model_dump(mode="json", exclude_defaults=True)
    del training["output"]["artifacts_dir"]
    content = {"model": config.model.model_dump(mode="json", exclude_defaults=True), "training": training}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _scorings(config: ResolvedConfig, alone: bool) -> dict[str, Scoring]:
    scorings = {USUAL: Scoring("e3m4")}
    if config.training.output.float32_table:
        scorings[EXACT] = Scoring("float32")
    if alone and config.model.features.ngrams is not None:
        scorings |= {name: Scoring("e3m4", features) for name, features in _ALONE.items()}
    return scorings


def _load_sets(options: argparse.Namespace) -> dict[str, LabelledTexts]:
    sentences = None if options.flores is None else load_flores(str(options.flores))
    sets = {} if sentences is None else {SENTENCES: sentences}
    if options.variants is not None:
        sets = load_suite(options.variants, sentences)
    if options.languages is None:
        return sets
    labels = load_model_config(options.languages).labels
    return {name: texts.of(labels) for name, texts in sets.items()}


def _read_runs(path: Path) -> dict[str, Run]:
    if not path.exists():
        return {}
    try:
        runs: dict[str, Run] = json.loads(path.read_text(encoding="utf-8"))["runs"]
        for run in runs.values():
            # What is read of them here.
            _ = run["config_sha256"], _accuracies(run), run["training"]["seconds"], run["bytes"].values()
            _ = [_multiple(one) for one in run["microseconds"].values()]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise DataError(f"{path}: expected the results of this script, found something else") from None
    return runs


def _is_done(run: Run | None, option: Option, sets: Mapping[str, LabelledTexts]) -> bool:
    if run is None or run["config_sha256"] != option.fingerprint or set(run["microseconds"]) != set(_ends(sets)):
        return False
    return all(
        run["scores"].get(scoring, {}).get(name, {}).get("given") == len(texts)
        for scoring in option.scorings
        for name, texts in sets.items()
    )


def _done(runs: Mapping[str, Run], wanted: Sequence[Option], sets: Mapping[str, LabelledTexts]) -> dict[str, Run]:
    """Those of ``runs`` that are of the options as they are now, in their order."""
    return {option.name: runs[option.name] for option in wanted if _is_done(runs.get(option.name), option, sets)}


def _measure(option: Option, sets: Mapping[str, LabelledTexts], threads: int | None) -> Run:
    # What another option has written there, and this one does not, is none of its model's.
    shutil.rmtree(option.config.artifacts_dir, ignore_errors=True)
    trained = run_training(option.config, say=lambda line: print(line, file=sys.stderr))
    return {
        "overrides": option.overrides,
        "config_sha256": option.fingerprint,
        "scores": {name: _score(trained, sets, scoring, threads) for name, scoring in option.scorings.items()},
        "training": {
            "texts": len(trained.dataset),
            "seconds": trained.result.seconds,
            "texts_per_second": trained.result.texts_per_second,
            "loss": trained.result.loss,
        },
        "seconds": trained.seconds,
        "microseconds": {name: _times(option, sets[name]) for name in _ends(sets)},
        "bytes": {path.name: path.stat().st_size for path in sorted(trained.directory.glob("*table*.safetensors"))},
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "wldetect_version": __version__,
    }


def _score(
    trained: TrainingRun, sets: Mapping[str, LabelledTexts], scoring: Scoring, threads: int | None
) -> dict[str, dict[str, Any]]:
    scored = {}
    for name, texts in sets.items():
        result = evaluate(trained.directory, texts, scoring.table, threads, features=scoring.features)
        scored[name] = {
            "given": len(texts),
            "texts": result.scores.n,
            "unanswered": result.scores.unanswered,
            "accuracy": result.scores.accuracy,
            "macro_f1": result.scores.macro_f1,
            "texts_per_second": result.texts_per_second,
        }
    return scored


def _ends(sets: Mapping[str, LabelledTexts]) -> list[str]:
    """The set of the shortest texts and that of the longest, which may be the same."""
    lengths = {name: sum(map(len, texts.texts)) / len(texts) for name, texts in sets.items()}
    ordered = sorted(lengths, key=lengths.__getitem__)
    return list(dict.fromkeys([ordered[0], ordered[-1]]))


def _times(option: Option, texts: LabelledTexts) -> dict[str, float]:
    """Microseconds a text takes on one thread by all rows of the model, and by those of one family alone: the least of
    several rounds in turn, so that ratios mind little what else the machine does."""
    some = list(texts.texts)[:: -(-len(texts) // _TIMED)]
    ngrams = option.config.model.features.ngrams is not None
    wanted = ("all", "tokens", "ngrams") if ngrams else ("all", "tokens")
    detectors = {features: open_detector(option.config.artifacts_dir, USUAL, features) for features in wanted}
    least = dict.fromkeys(detectors, float("inf"))
    for _ in range(_ROUNDS):
        for features, detector in detectors.items():
            began = time.perf_counter()
            detector.predict_arrays(some, threads=1)
            least[features] = min(least[features], time.perf_counter() - began)
    return {features: 1e6 * seconds / len(some) for features, seconds in least.items()}


def _multiple(times: Mapping[str, float], features: str = "all") -> float:
    return times[features] / times["tokens"]


def format_table(runs: Mapping[str, Run], sets: Sequence[str]) -> str:
    """A Markdown table, up to three rows a run: by all rows of the model, and by those of one family alone.

    The columns: accuracy of each set; of the last one also macro-F1; how long detection takes, as a multiple of what it
    takes by tokens alone, of the sets that it was timed on; seconds and speed of training; size of the tables that are
    loaded by default; the most accuracy that quantizing costs on any set.
    """
    exact = any(EXACT in run["scores"] for run in runs.values())
    times = [f"time, {name}" for name in next((run["microseconds"] for run in runs.values()), ())]
    columns = [*sets, f"macro-F1, {sets[-1]}", *times, "training, s", "training, texts/s", "MB"]
    columns += ["most lost, points"] if exact else []
    lines = [f"| option | {' | '.join(columns)} |", "|---" + "|---:" * len(columns) + "|"]
    for name, run in runs.items():
        for scoring in (USUAL, *_ALONE):
            if scoring in run["scores"]:
                cells = _cells(run, scoring, sets)
                shown = name + scoring.removeprefix(USUAL)
                lines.append(f"| {' | '.join([shown, *cells, *([''] * (len(columns) - len(cells)))])} |")
    return "\n".join(lines)


def _cells(run: Run, scoring: str, sets: Sequence[str]) -> list[str]:
    scores, last = run["scores"][scoring], sets[-1]
    cells = [f"{100 * scores[one]['accuracy']:.2f}" for one in sets]
    cells.append(f"{100 * scores[last]['macro_f1']:.2f}")
    cells += [f"{_multiple(one, _ALONE.get(scoring, 'all')):.2f}x" for one in run["microseconds"].values()]
    if scoring == USUAL:
        cells += [f"{run['training']['seconds']:.0f}", f"{run['training']['texts_per_second']:,.0f}"]
        # Of what is loaded by default.
        cells.append(f"{sum(size for file, size in run['bytes'].items() if 'e3m4' in file) / 1e6:.1f}")
        before = run["scores"].get(EXACT)
        if before:
            lost = [before[one]["accuracy"] - scores[one]["accuracy"] for one in sets]
            cells.append(f"{100 * max(lost):+.3f}")
    return cells


def _accuracies(run: Run) -> str:
    return ", ".join(f"{name} {scores['accuracy']:.2%}" for name, scores in run["scores"][USUAL].items())


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
