#!/usr/bin/env python3
"""Train once for each of a list of options, score every model on full sentences and on variants, and print a table.

Each option is a name and overrides of the configuration, as `wldetect train --set` takes them. The variants are parquet
files with the columns text and language, such as single words or noisy sentences; those of languages that a model lacks
are left out, as `wldetect eval` does. Token ids and embeddings are cached between the runs.

example: python scripts/compare_options.py --data data/corpora --variants data/flores/variants \\
           --flores data/flores/dev.parquet --output options.md
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

# As the command does, before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from wldetect.config import load_training_config, parse_override
from wldetect.evaluation import evaluate, load_flores
from wldetect.training.run import run_training

ROOT = Path(__file__).resolve().parent.parent
# What every run has: enough texts to tell options apart, few enough to train in a minute.
COMMON = ["dataset.max_samples_per_language=2000"]
OPTIONS: dict[str, list[str]] = {
    "as configured": [],
    "`loss.label_smoothing: 0.05`": ["training.loss.label_smoothing=0.05"],
    "`loss.label_smoothing: 0.1`": ["training.loss.label_smoothing=0.1"],
    "`loss.name: focal`, `focal_gamma: 1`": ["training.loss.name=focal", "training.loss.focal_gamma=1.0"],
    "`loss.name: focal`, `focal_gamma: 2`": ["training.loss.name=focal", "training.loss.focal_gamma=2.0"],
    "`loss.name: focal`, `focal_gamma: 2`, `focal_alpha: 0.25`": [
        "training.loss.name=focal", "training.loss.focal_gamma=2.0", "training.loss.focal_alpha=0.25",
    ],
    "no weights (`balance_languages: false`)": ["dataset.balance_languages=false"],
    "`loss.class_weights: balanced` instead": [
        "dataset.balance_languages=false", "training.loss.class_weights=balanced",
    ],
    "`loss.class_weights: inverse_sqrt` instead": [
        "dataset.balance_languages=false", "training.loss.class_weights=inverse_sqrt",
    ],
    "`sampling_alpha: 0.5` instead": ["dataset.balance_languages=false", "dataset.sampling_alpha=0.5"],
    "`augmentation.crop: 0.3` (to 1 to 5 words)": ["training.augmentation.crop=0.3"],
    "`augmentation.crop: 0.7` (to 1 to 5 words)": ["training.augmentation.crop=0.7"],
    "`augmentation.noise: 0.3` (of 10 % of the letters)": ["training.augmentation.noise=0.3"],
    "`augmentation.uppercase: 0.1`": ["training.augmentation.uppercase=0.1"],
    "`augmentation.lowercase: 0.3`": ["training.augmentation.lowercase=0.3"],
    "`augmentation.strip_punctuation: 0.3`": ["training.augmentation.strip_punctuation=0.3"],
    "crop 0.3, noise 0.2, uppercase 0.1": [
        "training.augmentation.crop=0.3", "training.augmentation.noise=0.2", "training.augmentation.uppercase=0.1",
    ],
    "`projection.dropout: 0.1`": ["training.projection.dropout=0.1"],
    "`weight_decay: 0.01`": ["training.weight_decay=0.01"],
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "training" / "gemma3-270m.yaml")
    parser.add_argument("--data", type=Path, required=True, help="the training corpus")
    parser.add_argument("--flores", type=Path, required=True, help="FLORES dev, a parquet file")
    parser.add_argument("--variants", type=Path, required=True, help="a directory of parquet files to score on as well")
    parser.add_argument("--only", help="only options whose name contains this")
    parser.add_argument("--output", type=Path, help="also write the table here, and the numbers beside it as JSON")
    options = parser.parse_args()

    sets = {"sentences": load_flores(str(options.flores), "dev")}
    # words2 before words10.
    for path in sorted(options.variants.glob("*.parquet"), key=lambda path: [len(path.stem), path.stem]):
        sets[path.stem] = load_flores(str(path), "dev")
    rows: dict[str, dict[str, float]] = {}
    for name, overrides in OPTIONS.items():
        if options.only and options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            values = dict(parse_override(text) for text in [*COMMON, *overrides])
            values |= {"dataset.name": str(options.data.resolve()), "output.artifacts_dir": temporary}
            values |= {"training.save_checkpoints": False}
            print(f"== {name}", file=sys.stderr)
            run_training(load_training_config(options.config, values), say=lambda line: print(line, file=sys.stderr))
            rows[name] = {what: evaluate(temporary, texts).scores.accuracy for what, texts in sets.items()}
        print(rows[name], file=sys.stderr)
    table = [f"| option | {' | '.join(sets)} |", "|---|" + "---:|" * len(sets)]
    for name, scores in rows.items():
        table.append(f"| {name} | " + " | ".join(f"{100 * scores[what]:.2f}" for what in sets) + " |")
    print("\n".join(table))
    if options.output:
        options.output.write_text("\n".join(table) + "\n", encoding="utf-8")
        options.output.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
