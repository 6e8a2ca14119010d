# Everything happens in a virtual environment inside the checkout; Python 3.10 or newer and Rust are all it needs.
# PYTHON chooses the interpreter; pip's own variables (PIP_FIND_LINKS, PIP_CONSTRAINT, ...) are respected.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CARGO_FEATURES := --features python
# Labels of texts that are written as those of one of the default model's languages are (docs/model-card.md).
UNTELLABLE := acm_Arab acq_Arab ajp_Arab ars_Arab bos_Cyrl cjy_Hans dyu_Latn fat_Latn gan_Hans hak_Hans nan_Hans \
  pbu_Arab wuu_Hans
OUTSIDE := data/corpora --config configs/training/default.yaml --output artifacts/outside --leave-out $(UNTELLABLE)
SOURCES := $(shell find rust -name '*.rs') Cargo.toml Cargo.lock pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help train test test-quick lint format wheel bench peers peers-accuracy measure short default-model clean

help: ## Show what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

train: $(VENV)/.training ## Install, train the starter model, evaluate it, and detect with it
	$(BIN)/wldetect train
	$(BIN)/wldetect eval --model-path artifacts/starter
	$(BIN)/wldetect detect --model-path artifacts/starter --format jsonl \
	  --text "Where did you put the keys to the shed?" \
	  --text "Hvor har du lagt nøklene til boden?" \
	  --text "Kam jsi dal klíče od kůlny?" \
	  --text "物置の鍵をどこに置いたの?" \
	  --text "आपने शेड की चाबियाँ कहाँ रखीं?" \
	  --text ""

test: $(VENV)/.training ## Install, then run every Rust and Python test, and each benchmark once
	cargo test --locked
	cargo bench --locked -- --test
	$(BIN)/python -m pytest

test-quick: $(VENV)/.training ## Leave out the tests that need the real embeddings or corpora
	cargo test --locked
	$(BIN)/python -m pytest -m "not slow"

lint: $(VENV)/.training ## Formatting, clippy, ruff, types, and the stub against the built module
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets $(CARGO_FEATURES) -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest wldetect._core --mypy-config-file pyproject.toml

format: $(VENV)/.tools ## Format the sources
	cargo fmt
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel: $(VENV)/.tools ## Build the sdist and, from it, the abi3 wheel into dist/, with the model that is inside the package
	$(BIN)/maturin build --release --locked --sdist --out dist

bench: ## Run the criterion benchmarks
	cargo bench --locked

peers: $(VENV)/.training ## Compare with other detectors (MODEL=directory FLORES=dev.parquet); installs them with pip
	$(BIN)/python benches/peers/compare.py --model-path "$(MODEL)" --data "$(FLORES)"

peers-accuracy: $(VENV)/.training ## Accuracy beside others' (FLORES=dev.parquet; MODEL=directory, TOKENIZER=json if any)
	$(BIN)/python benches/peers/accuracy.py $(if $(MODEL),--model-path "$(MODEL)") --data "$(FLORES)" \
	  $(if $(TOKENIZER),--tokenizer "$(TOKENIZER)")

measure: $(VENV)/.training ## Print the numbers of the README (DATA=corpora FLORES=dev.parquet)
	$(BIN)/python scripts/measure_training.py --data "$(DATA)" --flores "$(FLORES)"

short: $(VENV)/.training ## Score on short and noisy text (MODEL=directory VARIANTS=directory FLORES=dev.parquet)
	$(BIN)/wldetect eval --suite short --model-path "$(MODEL)" --data "$(VARIANTS)" --sentences "$(FLORES)"

default-model: $(VENV)/.training ## Train the model inside the package anew (the texts in data/, see docs/model-card.md)
	$(BIN)/python scripts/hold_out.py --config configs/training/default.yaml --output artifacts/held-out
	$(BIN)/python scripts/outside_languages.py $(OUTSIDE)
	$(BIN)/wldetect train --config configs/training/default.yaml --no-eval \
	  --set 'dataset.held_out=[artifacts/held-out/held_out.parquet, artifacts/outside/held_out.parquet]' \
	  --set output.artifacts_dir=artifacts/default-held-out
	$(BIN)/wldetect calibrate --model-path artifacts/default-held-out --data artifacts/held-out/held_out.parquet \
	  --precision 0.03 --others artifacts/outside/calibrate.parquet --other-share 0.4 \
	  --forbidden configs/forbidden/flores200-dev.hashes
	$(BIN)/python scripts/outside_languages.py $(OUTSIDE) --score artifacts/default-held-out \
	  --held-out artifacts/held-out/held_out.parquet
	$(BIN)/wldetect train --config configs/training/default.yaml
	$(BIN)/python scripts/copy_calibration.py artifacts/default-held-out artifacts/default
	$(BIN)/wldetect eval --model-path artifacts/default
	$(BIN)/python scripts/package_model.py artifacts/default

clean: ## Remove everything that was built, but no trained model
	rm -rf $(VENV) target dist .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/.tools:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip 'maturin>=1.9,<2'
	touch $@

# `maturin develop` builds the release extension and installs the package in place with its extras.
$(VENV)/.training: $(VENV)/.tools $(SOURCES)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --locked --extras training,starter,analysis,dev
	touch $@
