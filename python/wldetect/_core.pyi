"""The Rust core. Arrays are numpy's; everything else needs no numpy."""

from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import final

__all__ = [
    "COMPILED_TOKENIZER",
    "NGRAM_HASH",
    "EmbeddingBag",
    "Ngrams",
    "Tokenizer",
    "WLDetect",
    "__version__",
    "adam_rows",
    "average_rows",
    "fp8_decode",
    "fp8_encode",
    "kernel_level",
    "packaged_model",
    "pool",
    "softmax",
]

__version__: str

COMPILED_TOKENIZER: str
"""Name of the compiled tokenizer's file in a model directory."""

NGRAM_HASH: str
"""What files of n-gram rows call the way from n-grams to row numbers."""

_Format = Literal["e3m4", "e4m3fn"]
_DType = Literal["e3m4", "e4m3fn", "float32"]
_Pooling = Literal["average", "logsumexp", "max"]
_Features = Literal["all", "tokens", "ngrams"]
_Hidden = Literal["unknown", "report"]

@final
class WLDetect:
    """A loaded model directory: text in, language out. Safe to use from many threads at once."""

    @staticmethod
    def load(
        path: str | PathLike[str] | None = None,
        *,
        table: _DType = "e3m4",
        features: _Features = "all",
        hidden: _Hidden = "unknown",
        threshold: float | None = None,
    ) -> WLDetect:
        """Load the model directory ``path``, or the model inside the package, with the table of the given dtype.

        With ``features="tokens"``, rows of n-grams are left out and their file is not read; models without them load
        the same either way. With ``"ngrams"``, those of tokens are left out and texts are not tokenized.

        An answer with a probability below the threshold of its language, as the model was calibrated, is "und",
        unknown; ``threshold``, 0 to 1, is one for all languages instead, and 0 answers always. Languages that the model
        hides are "und" as well, unless ``hidden="report"``.

        Raises ``ValueError`` for a choice that there is none, or a threshold out of range,
        ``FileNotFoundError`` when a file is missing and ``ArtifactError`` when one is truncated, malformed, holds
        infinity or NaN, the tokenizer or the n-gram rows are not of the table's model, there are no n-gram rows to use
        alone, or the package has no model inside.
        """

    # A string is also an iterable of strings; the first overload wins.
    @overload
    def predict(self, text: str, *, threads: int | None = None) -> tuple[str, float] | None:  # type: ignore[overload-overlap]
        """The most probable language and its probability, or None when nothing of ``text`` has a row.

        "und" and the probability of the most probable language where that is not enough for an answer: see ``load``.

        For an iterable of texts, a list of such answers in order, computed on ``threads`` threads (default: one for
        each core) without the interpreter lock; a None among the texts has the answer None. Lone surrogates count as
        U+FFFD. ``TypeError``, naming the position, for anything else; ``ValueError`` for 0 threads. An exception that a
        signal handler raises (Ctrl-C's ``KeyboardInterrupt``, say) stops the batch and comes through.
        """

    @overload
    def predict(self, text: Iterable[str | None], *, threads: int | None = None) -> list[tuple[str, float] | None]: ...
    def predict_arrays(
        self, texts: Iterable[str | None], *, threads: int | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """``predict`` for many texts without Python objects for each: labels, int32 [n], and probabilities,
        float32 [n].

        Labels are indices of ``languages``. A text whose answer is "und" has the label -1 and the probability of the
        most probable language, above 0; one without an answer has the label -1 and the probability 0.
        """

    @overload
    def probabilities(self, text: str, *, threads: int | None = None) -> NDArray[np.float32] | None:  # type: ignore[overload-overlap]
        """Probability of every language, float32 [L] in the order of ``languages``; None as for ``predict``.

        Calibrated, where the model is: the inverse temperature follows from the number of rows that were pooled.

        For an iterable of texts, float32 [n, L], a row of zeros for each text without an answer.
        """

    @overload
    def probabilities(self, text: Iterable[str | None], *, threads: int | None = None) -> NDArray[np.float32]: ...
    def logits(
        self, texts: Iterable[str | None], *, threads: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """What probabilities are made of: logits before any temperature, float32 [n, L], and the evidence, int64 [n].

        Evidence is the number of token rows that were pooled, or of n-gram rows where they alone are used, and at least
        1. A text without an answer has zeros. Errors as for ``predict``.
        """

    def tokenize(self, text: str) -> list[int]:
        """The token ids of ``text`` that count: the first ``max_sequence_length``. Not all of them need have a row."""

    @property
    def languages(self) -> list[str]:
        """Language codes, by index."""

    @property
    def features(self) -> list[Literal["tokens", "ngrams"]]:
        """The families of rows that this detector uses."""

    @property
    def pooling(self) -> _Pooling:
        """How token rows are pooled. Those of n-grams are always averaged."""

    @property
    def max_sequence_length(self) -> int:
        """Tokens of a text that are used; the rest is left out."""

    @property
    def path(self) -> Path:
        """The model directory, absolute."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the table's file, in hexadecimal; the tokenizer's own is recorded in that file.

        With n-gram rows: that of the table's file and, behind it, theirs. A pickled detector is its path (None for the
        model inside the package), its table's dtype, its features, what becomes of hidden languages, its threshold and
        this. Unpickling it loads the directory again, and raises ``ArtifactError`` when there is another model.
        ``copy`` gives the detector itself, as nothing changes it.
        """

    def __copy__(self) -> WLDetect: ...
    def __deepcopy__(self, _memo: object, /) -> WLDetect: ...
    def __reduce__(
        self,
    ) -> tuple[
        Callable[[str | None, str, str, str, float | None, str], WLDetect],
        tuple[str | None, str, str, str, float | None, str],
    ]: ...

@final
class EmbeddingBag:
    """Weighted sums of rows of frozen embeddings, and the gradient of the weights.

    The same bits for every number of threads and on every CPU: a text is summed in the order of its tokens, and a dot
    product in an order that the widths alone decide.
    """

    def __new__(cls, parts: Sequence[NDArray[np.float32] | NDArray[np.float16] | NDArray[np.uint16]]) -> EmbeddingBag:
        """Embeddings stored as ``parts``, side by side: each [V, D_i] in float32, float16 or the bits of bfloat16.

        The arrays are kept and read where they lie, memory-mapped or not, at any alignment; they must be C-contiguous
        and read-only. Whoever has another way to their memory must not write to it, and a mapped file must keep its
        length. ``TypeError`` for another kind of array; ``ValueError`` when there is no part or they differ in V.
        """

    @property
    def shape(self) -> tuple[int, int]:
        """(V, D), D being the sum of the parts' columns."""

    def forward(
        self,
        ids: NDArray[np.int32],
        offsets: NDArray[np.int32],
        weights: NDArray[np.float32],
        *,
        threads: int | None = None,
    ) -> NDArray[np.float32]:
        """The sum of each text's rows, each times its weight: float32 [B, D], zeros for a text without tokens.

        ``ids`` [T] holds the tokens of all texts end to end, ``weights`` [T] one weight a token, and ``offsets`` [B]
        says where each text begins. Computed on ``threads`` threads (default: one for each core) without the
        interpreter lock. ``TypeError`` for arrays of another type or layout; ``ValueError`` for an id that is no row,
        offsets that do not cut ``ids`` into texts, an array of another length, or 0 threads.
        """

    def backward(
        self,
        ids: NDArray[np.int32],
        offsets: NDArray[np.int32],
        gradient: NDArray[np.float32],
        *,
        threads: int | None = None,
    ) -> NDArray[np.float32]:
        """The dot product of each token's row with its text's row of ``gradient`` [B, D]: float32 [T].

        Where ``gradient`` is that of ``forward``'s sums, this is that of its weights. Errors as for ``forward``.
        """

@final
class Ngrams:
    """Text to row numbers of hashed character n-grams, exactly as the detector does it.

    A text is case-folded and split into words; each word, between two marks, gives its runs of ``n_min`` to ``n_max``
    characters and, if ``whole_words``, itself, each hashed to one of ``rows``. With ``splitting="ideographs"`` a run of
    ideographs within a word gives each of them and each pair of adjacent ones instead, without marks.
    """

    def __new__(
        cls,
        *,
        n_min: int,
        n_max: int,
        whole_words: bool,
        max_words: int,
        max_letters: int,
        rows: int,
        splitting: Literal["spaces", "letters", "boundaries", "ideographs"],
    ) -> Ngrams:
        """Extraction by these numbers; see ``NgramsConfig``. ``ValueError``, naming the key, for one out of range."""

    def rows(self, text: str) -> NDArray[np.uint32]:
        """Row numbers of ``text``, uint32 [n], word by word. The order of a word's is not said, but always the same."""

    def rows_batch(
        self, texts: Iterable[str], threads: int | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Rows of all texts end to end, uint32 [n], and offsets, int64 [len(texts) + 1]; computed on ``threads``
        threads, and interrupted, as ``WLDetect.predict``."""

@final
class Tokenizer:
    """Text to token ids, exactly as the detector does it, without special tokens."""

    def __new__(cls, json: str) -> Tokenizer:
        """Read the text of a ``tokenizer.json``; ``ValueError`` when it is not a tokenizer definition."""

    def encode(self, text: str, max_length: int | None = None) -> NDArray[np.uint32]:
        """The first ``max_length`` ids of ``text``, uint32 [n]."""

    def encode_batch(
        self, texts: Iterable[str], max_length: int | None = None, threads: int | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Ids of all texts end to end, uint32 [n], and offsets, int64 [len(texts) + 1]: text i has ids
        ``offsets[i]:offsets[i + 1]``. Computed on ``threads`` threads, and interrupted, as ``WLDetect.predict``."""

    def save_compiled(self, path: str | PathLike[str]) -> bool:
        """Write the form that loads without parsing to ``path``; False, and no file, when this tokenizer has none.

        Raises ``OSError`` when the file cannot be written; nothing is left of it then.
        """

    @property
    def vocab_size(self) -> int:
        """Number of ids, added tokens included."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the JSON text, in hexadecimal."""

def packaged_model() -> Path:
    """Where the model inside the package is, which ``WLDetect.load`` without a path loads.

    ``ArtifactError`` when there is none.
    """

def kernel_level() -> str:
    """The vector instructions in use: ``scalar``, ``avx2``, ``avx512`` or ``neon``.

    The best that this CPU has, or what the environment variable ``WLDETECT_KERNEL`` names; ``ValueError`` when that is
    not one that it has. Every level gives the same answers, to the bit.
    """

def fp8_decode(codes: NDArray[np.uint8], format: _Format) -> NDArray[np.float32]:
    """The values of ``codes``, of the same shape. Read without a copy where C-contiguous."""

def fp8_encode(values: NDArray[np.float32], format: _Format) -> NDArray[np.uint8]:
    """The codes nearest to ``values``, ties to even, saturating at the largest finite value; same shape.

    Read without a copy where C-contiguous. ``ValueError`` for a NaN, naming its flat index.
    """

def pool(
    table: NDArray[np.uint8] | NDArray[np.float32],
    ids: NDArray[np.uint32],
    *,
    dtype: _DType,
    pooling: _Pooling,
    scale: float = 1.0,
    mask: NDArray[np.uint8] | None = None,
) -> NDArray[np.float32] | None:
    """Pooled logits, float32 [L], of the rows ``ids`` of ``table`` [V, L] (stored value x scale = logit).

    Rows whose ``mask`` (uint8 [V]) is not zero, and ids past the table, are left out; None when none is left.
    Nothing is copied: the arrays must be C-contiguous.
    """

def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities, float32 [L], of ``logits``."""

def average_rows(
    table: NDArray[np.float32],
    rows: NDArray[np.int32],
    offsets: NDArray[np.int32],
    *,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """The average of each text's rows of ``table`` [B, r]: float32 [n, r], zeros for a text without rows.

    ``rows`` [R] holds the row numbers of all texts end to end, ``offsets`` [n] says where each begins. The same bits
    for every number of threads and on every CPU. Computed without the interpreter lock. ``TypeError`` for arrays of
    another type or layout; ``ValueError`` for a number that is no row, offsets that do not cut ``rows`` into texts, or
    0 threads.
    """

def adam_rows(
    table: NDArray[np.float32],
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    rows: NDArray[np.int32],
    offsets: NDArray[np.int32],
    gradient: NDArray[np.float32],
    *,
    rate: float,
    betas: tuple[float, float],
    epsilon: float,
    step_number: int,
    threads: int | None = None,
) -> None:
    """Take a step of Adam, in place, for the rows of ``table`` [B, r] that texts have, and for no others.

    ``first`` and ``second`` [B, r] are Adam's moments, ``rows`` and ``offsets`` those of ``average_rows``, and
    ``gradient`` [n, r] is that of the averages. ``step_number`` counts from 1. The arrays must not be used by another
    thread meanwhile. Errors as for ``average_rows``; also ``ValueError`` for a rate, beta, epsilon or step out of
    range.
    """
