"""`wldetect train` from configuration to a finished, evaluated model directory."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wldetect import _core
from wldetect.config import ModelConfig, ResolvedConfig, resolve_path
from wldetect.data.augment import Augmentation
from wldetect.data.batches import BatchLoader
from wldetect.data.dataset import DatasetReport, TokenizedDataset, needs_texts, prepare_dataset
from wldetect.data.encoding import make_ngrams
from wldetect.data.token_counts import count_training_tokens
from wldetect.embeddings import EmbeddingMatrix, EmbeddingSource, open_sources
from wldetect.errors import ConfigError, EmbeddingError
from wldetect.evaluation.flores import LabelledTexts
from wldetect.export.quantize import TableDType
from wldetect.export.writer import ModelFiles, SeenTokens, write_model
from wldetect.files import atomic_path, default_cache_dir
from wldetect.training.checkpoint import CheckpointStore
from wldetect.training.log import TrainingLog
from wldetect.training.lookup import make_lookup
from wldetect.training.loop import TrainingResult, TrainingRoom, choose_device, train
from wldetect.training.loss_scale import make_loss_scale
from wldetect.training.losses import class_weights, make_loss
from wldetect.training.model import LanguageModel
from wldetect.training.ngram_table import NgramTable
from wldetect.training.processes import Processes, join_processes, local_rank
from wldetect.training.validation import Validation

__all__ = ["TrainingRun", "run_training"]

# Keys of the training section that no weight depends on.
_OF_NO_EFFECT = (
    "device",
    "num_workers",
    "save_checkpoints",
    "checkpoint_interval",
    "prefetch_batches",
    "log_every",
    "eval_every",
    "tensorboard",
)

# Values that are checked at a time: 32 MB of float32.
_CHECKED_VALUES = 1 << 23


@dataclass(frozen=True)
class TrainingRun:
    """What a finished `run_training` leaves.

    Attributes:
        directory: the model directory.
        result: speed and last loss of the loop.
        dataset: counts of the texts trained on.
        seconds: seconds spent in each stage, by name.
        is_first: whether this process wrote the model; of several, only the first one does.
    """

    directory: Path
    result: TrainingResult
    dataset: TokenizedDataset
    seconds: dict[str, float]
    is_first: bool


def run_training(
    config: ResolvedConfig,
    *,
    resume: bool = False,
    progress: bool = True,
    cache_dir: Path | None = None,
    say: Callable[[str], None] = print,
    texts: LabelledTexts | None = None,
) -> TrainingRun:
    """Train the model that ``config`` describes and write its directory.

    Args:
        config: a training configuration joined with its model configuration.
        resume: go on from the newest checkpoint in the output directory.
        progress: show progress bars where somebody is looking.
        cache_dir: where embeddings and token ids are kept; None for the default.
        say: called with every line of the report.
        texts: what to score the model on every ``training.eval_every`` steps.

    Raises:
        WLDetectError: something in the configuration, the embeddings or the data is wrong; one line says what.
        OSError: a file cannot be read or written.
    """
    device = choose_device(config.training.training.device, local_rank())
    with join_processes(device.type) as processes:
        quiet: Callable[[str], None] = lambda line: None  # noqa: E731
        room = _Surroundings(
            config=config,
            device=device,
            processes=processes,
            cache_dir=default_cache_dir() if cache_dir is None else cache_dir,
            progress=progress and processes.is_first,
            say=say if processes.is_first else quiet,
        )
        return _run(room, resume, texts)


@dataclass(frozen=True)
class _Surroundings:
    config: ResolvedConfig
    device: torch.device
    processes: Processes
    cache_dir: Path
    progress: bool
    say: Callable[[str], None]


def _run(around: _Surroundings, resume: bool, texts: LabelledTexts | None) -> TrainingRun:
    config, device, processes, say = around.config, around.device, around.processes, around.say
    options = config.training.training
    clock = _Clock()
    # Said before anything is done if it is wrong.
    created = _created()
    directory = config.artifacts_dir
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "expected a directory to write the model to, found a file", directory)

    with processes.first_of_machine():
        source = open_sources(config.model, config.model_path, around.cache_dir)
        matrix = source.matrix()
        tokenizer_json = source.tokenizer_json()
        if processes.local_rank == 0:
            _check_finite(matrix, source)
    try:
        tokenizer = _core.Tokenizer(tokenizer_json)
    except ValueError as error:
        raise EmbeddingError(f"{source.describe()}: its tokenizer cannot be used: {error}") from error
    say(f"embeddings: {source.describe()} ({clock.lap('embeddings'):.1f} s)")

    features = config.model.features.ngrams
    with processes.first_of_machine():
        dataset = prepare_dataset(
            config,
            tokenizer,
            around.cache_dir,
            n_rows=matrix.shape[0],
            keep_texts=needs_texts(config),
            progress=around.progress,
        )
    report = dataset.report
    say(report.format_table(config.training.dataset.min_samples_per_language))
    seconds = clock.lap("dataset")
    say(f"data: {len(dataset):,} texts, {report.tokens:,} tokens, {len(report.labels)} languages ({seconds:.1f} s)")

    model_config = _trained_languages(config.model, report.labels)
    model = LanguageModel(
        make_lookup(matrix, device, say),
        len(report.labels),
        config.inference.pooling,
        options.projection.dropout,
        precision=options.precision,
        ngrams=None if features is None else NgramTable(features, len(report.labels), options.seed),
        bias=options.projection.bias,
        loss_scale=make_loss_scale(options.loss),
    ).to(device)
    if options.compile:
        model.compile_layers()
    ngrams = None if features is None else make_ngrams(features)
    change = Augmentation(options.augmentation, options.seed) if options.augmentation.active else None
    loader = BatchLoader(
        dataset,
        options.batch_size,
        options.seed,
        rank=processes.rank,
        world_size=processes.size,
        prefetch=options.prefetch_batches,
        change=change,
        tokenizer=tokenizer,
        ngrams=ngrams,
        drop_tokens=options.ngrams.drop_tokens,
        drop_ngrams=options.ngrams.drop_ngrams,
    )
    validation = None
    if texts is not None and options.eval_every and processes.is_first:
        length = config.inference.max_sequence_length
        validation = Validation(texts, report.labels, tokenizer, length, matrix.shape[0], ngrams)
    weights = _class_weights(config, report)
    room = TrainingRoom(
        store=CheckpointStore(directory / "checkpoints"),
        identity=_identity(config, source, dataset, tokenizer, weights),
        loss=make_loss(options.loss, None if weights is None else weights.to(device)),
        processes=processes,
        log=partial(_open_log, directory, options.tensorboard),
        validation=validation,
        progress=around.progress,
        say=say,
    )
    result = train(model, loader, options, room, resume=resume)
    clock.lap("training")
    several = f" in {processes.size} processes" if processes.size > 1 else ""
    say(
        f"trained: {result.steps:,} steps on {device}{several}, {result.texts_per_second:,.0f} texts/s, "
        f"{result.waiting:.1%} of the time waiting for texts, loss {result.loss:.4f}, "
        f"training accuracy {result.accuracy:.2%} ({result.seconds:.1f} s)"
    )
    if processes.is_first:
        provenance = _provenance(config, source, dataset, tokenizer, result, created)
        rows = None
        if config.training.output.min_token_count:
            counts = count_training_tokens(dataset, config, tokenizer, matrix.shape[0], progress=around.progress)
            rows = SeenTokens(counts, config.training.output.min_token_count)
            say(f"rows: {np.count_nonzero(rows.kept):,} of {len(counts):,} tokens ({clock.lap('counting'):.1f} s)")
        output = config.training.output
        steps = (output.e3m4_step, output.ngram_e3m4_step)
        files = ModelFiles(model, matrix, model_config, tokenizer_json, provenance, rows, *steps)
        dtypes = [TableDType.FLOAT32] if config.training.output.float32_table else []
        # The default table comes last: once it is there, everything is.
        written = write_model(files, directory, [*dtypes, TableDType.E4M3FN, TableDType.E3M4])
        _copy_cleaning_report(dataset, directory)
        seconds = clock.lap("export")
        size = sum(path.stat().st_size for path in written)
        say(f"wrote: {directory} ({len(written)} files, {size / 1e6:.0f} MB, {seconds:.1f} s)")
    # Whoever started them takes the end of one for the end of all.
    processes.wait()
    return TrainingRun(directory, result, dataset, clock.seconds, processes.is_first)


def _open_log(directory: Path, tensorboard: bool, last_step: int) -> TrainingLog:
    return TrainingLog(directory, tensorboard=tensorboard, last_step=last_step)


def _copy_cleaning_report(dataset: TokenizedDataset, directory: Path) -> None:
    path = directory / "cleaning_report.json"
    if dataset.cleaning_report is None:
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary:
        temporary.write_bytes(dataset.cleaning_report.read_bytes())


def _class_weights(config: ResolvedConfig, report: DatasetReport) -> torch.Tensor | None:
    name = config.training.training.loss.class_weights
    counts = {label: report.kept[label] for label in report.labels}
    return class_weights(name, counts, config.training_path, resolve_path(name, config.training_path))


class _Clock:
    """Seconds between laps, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> float:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now
        return self.seconds[name]


def _check_finite(matrix: EmbeddingMatrix, source: EmbeddingSource) -> None:
    """Infinity or NaN in a row that texts rarely use would otherwise come to light when all training is done."""
    chunk = max(1, _CHECKED_VALUES // matrix.shape[1])
    for first in range(0, matrix.shape[0], chunk):
        bad = ~np.isfinite(matrix.rows(slice(first, first + chunk)))
        if bad.any():
            row, column = divmod(int(bad.argmax()), matrix.shape[1])
            where = f"row {first + row}, column {column}"
            raise EmbeddingError(f"{source.describe()}: expected finite values, found infinity or NaN in {where}")


def _trained_languages(config: ModelConfig, labels: list[str]) -> ModelConfig:
    """The model configuration with only the languages that had enough texts, without gaps in their indices."""
    hidden = [label for label in config.hidden_languages if label in set(labels)]
    languages = {label: index for index, label in enumerate(labels)}
    return config.model_copy(update={"languages": languages, "hidden_languages": hidden})


def _identity(
    config: ResolvedConfig,
    source: EmbeddingSource,
    dataset: TokenizedDataset,
    tokenizer: _core.Tokenizer,
    weights: torch.Tensor | None,
) -> dict[str, str]:
    """What must be the same for a checkpoint to be resumed: everything that the weights depend on."""
    options = config.training.training.model_dump(mode="json")
    for key in _OF_NO_EFFECT:
        del options[key]
    settings = {
        "training": options,
        "dataset": config.training.dataset.model_dump(mode="json"),
        "labels": dataset.report.labels,
        "inference": config.inference.model_dump(mode="json"),
        "features": config.model.features.model_dump(mode="json"),
        # They may come from a file, whose name says nothing.
        "class_weights": None if weights is None else weights.tolist(),
    }
    text = json.dumps(settings, sort_keys=True)
    return {
        "configuration": hashlib.sha256(text.encode()).hexdigest(),
        # Its name stands for everything that the texts and their order depend on, files of held-out texts included.
        "corpus": dataset.report.fingerprint if dataset.path is None else dataset.path.name,
        "embeddings": source.fingerprint(),
        "tokenizer": tokenizer.sha256,
    }


def _provenance(
    config: ResolvedConfig,
    source: EmbeddingSource,
    dataset: TokenizedDataset,
    tokenizer: _core.Tokenizer,
    result: TrainingResult,
    created: str,
) -> dict[str, Any]:
    report = dataset.report
    return {
        "created": created,
        "config": config.to_dict(),
        "config_sha256": config.fingerprint(),
        "embeddings": source.provenance(),
        "tokenizer": {"sha256": tokenizer.sha256},
        "corpus": {
            "sha256": report.fingerprint,
            "texts": len(dataset),
            "tokens": report.tokens,
            "kept": {label: count for label, count in report.kept.items() if count},
            "dropped": report.dropped,
        },
        "training": {"steps": result.steps, "loss": result.loss, "accuracy": result.accuracy},
        "seed": {"training": config.training.training.seed, "dataset": config.training.dataset.seed},
        "versions": _versions(),
    }


def _created() -> str:
    """When, UTC, in ISO 8601: now, or when SOURCE_DATE_EPOCH says (reproducible-builds.org), so that two runs can make
    the same files."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given and not re.fullmatch("[0-9]{1,11}", given):
        raise ConfigError(f"SOURCE_DATE_EPOCH: expected seconds since 1970, found {given!r}")
    moment = datetime.fromtimestamp(int(given), timezone.utc) if given else datetime.now(timezone.utc)
    return moment.isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "wldetect": _core.__version__, "torch": torch.__version__}
    for package in ("numpy", "datasets", "tokenizers", "safetensors", "gguf", "huggingface_hub"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            print(f"warning: {package} has no recorded version", file=sys.stderr)
    return found
