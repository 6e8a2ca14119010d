"""`wldetect calibrate`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from wldetect.cli.extras import require_extras
from wldetect.cli.options import add_model_options, share
from wldetect.cli.output import say
from wldetect.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    from wldetect.evaluation import LabelledTexts

NAME = "calibrate"
HELP = "make a model's probabilities mean what they say"
DESCRIPTION = """Fit a model's probabilities to held-out texts, and put the result into its lookup tables.

Texts are also cropped to 1, 2, 3, 5 and 10 words, as training does. Logits are multiplied by an inverse temperature
that depends on how many rows they were pooled from, fitted for the whole model, and for its tokens and n-grams alone;
no label changes, only probabilities. An answer with a probability below the threshold of its label becomes `und`,
unknown.

Thresholds are such that answers just above are right in a share --precision of cases: a right answer is worth 1 less
that share, a wrong one costs it, and each label has the threshold with which its answers are worth most. The default,
0.1, gives up an answer only if nine in ten such answers are wrong.

With --others, texts of languages that the model does not have, longer texts have thresholds of their own, with which
answers to such texts, all of them wrong, become `und` where that is worth it: --other-share of all texts are taken to
be of such languages, and right answers to noisy texts are not to be lost either.

The texts must be ones that the model was not trained on (dataset.held_out, scripts/hold_out.py), nor is evaluated on.
Writes the metadata key `calibration` of every lookup table; calibration_results.json and .png into the model directory.

examples:
  wldetect calibrate --model-path artifacts/gemma3-270m --data held-out/held_out.parquet
  wldetect calibrate --model-path artifacts/gemma3-270m --data held-out/ --precision 0.5
  wldetect calibrate --model-path artifacts/gemma3-270m --data held-out/held_out.parquet --others others.parquet
  wldetect calibrate --model-path artifacts/gemma3-270m --data held-out/ --forbidden flores200-dev.hashes"""

_MOST_SAMPLES = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to ``parser``."""
    add_model_options(parser)
    parser.add_argument(
        "--data", required=True, metavar="PATH", help="parquet file or directory with a text and a language column"
    )
    parser.add_argument("--split", default="train", metavar="NAME", help="the part of it to use (default: %(default)s)")
    parser.add_argument("--text-column", default="text", metavar="NAME", help="(default: %(default)s)")
    parser.add_argument(
        "--language-column", metavar="NAME", help="(default: language, or else iso_639_3 and iso_15924 joined)"
    )
    parser.add_argument(
        "--precision",
        type=_precision,
        default=0.1,
        metavar="P",
        help="share of right answers that is just good enough, 0 to below 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--samples-per-label",
        type=_samples,
        default=500,
        metavar="N",
        help="texts of a label that are taken at most (default: %(default)s)",
    )
    parser.add_argument(
        "--others", metavar="PATH", help="texts of languages that the model does not have, in files as those of --data"
    )
    parser.add_argument(
        "--other-share",
        type=_open_share,
        default=0.1,
        metavar="P",
        help="share of texts that is taken to be in such languages, above 0 and below 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--forbidden",
        action="append",
        default=[],
        metavar="PATH",
        help="stop if a sentence of this evaluation set, or of its file of hashes, is among the texts; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Calibrate and report; returns the exit status."""
    require_extras("wldetect calibrate", ["training"])
    from wldetect.calibration.report import format_calibration, install_calibration, write_reports
    from wldetect.calibration.run import calibrate
    from wldetect.export.quantize import TableDType

    texts, others = (
        _read(options, path, key) for path, key in ((options.data, "--data"), (options.others, "--others"))
    )
    assert texts is not None
    result = calibrate(
        options.model_path,
        texts,
        TableDType(options.table),
        options.precision,
        options.samples_per_label,
        options.seed,
        options.threads,
        others=others,
        other_share=options.other_share,
    )
    say(format_calibration(result))
    tables = install_calibration(result, options.model_path)
    reports = write_reports(result, options.model_path)
    say(f"wrote: {', '.join(str(path) for path in [*tables, *reports])}")
    return 0


def _read(options: argparse.Namespace, path: str | None, key: str) -> LabelledTexts | None:
    from wldetect.data.forbidden import refuse_forbidden
    from wldetect.data.held_out import read_held_out
    from wldetect.evaluation import load_flores
    from wldetect.files import default_cache_dir

    if path is None:
        return None
    _refuse_evaluation_data(options.model_path, path, key)
    found = load_flores(path, options.split, options.text_column, options.language_column)
    forbidden = [read_held_out(name, default_cache_dir()) for name in options.forbidden]
    refuse_forbidden(forbidden, found.texts, lambda row: f"{path}: label {found.labels[row]}")
    return found


def _refuse_evaluation_data(model_path: Path, data: str, key: str) -> None:
    """What a model is scored on must not have a part in it, and its record says what that is.

    Raises:
        ConfigError: ``data`` is it.
    """
    from wldetect.cli.evaluated import evaluation_of_training

    try:
        named = evaluation_of_training(model_path)["data"]
    except (FileNotFoundError, ArtifactError, ConfigError):
        # No record, or one that names no data.
        return
    if named is not None and Path(named).exists() and Path(data).exists() and Path(named).samefile(data):
        raise ConfigError(f"command line: {key}: expected other texts than the model is evaluated on, found {data}")


def _precision(text: str) -> float:
    value = share(text)
    if value == 1.0:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to below 1, found {text!r}")
    return value


def _open_share(text: str) -> float:
    value = _precision(text)
    if value == 0.0:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and below 1, found {text!r}")
    return value


def _samples(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text) or not 1 <= int(text) <= _MOST_SAMPLES:
        raise argparse.ArgumentTypeError(f"expected 1 to {_MOST_SAMPLES} texts, found {text!r}")
    return int(text)
