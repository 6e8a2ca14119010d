"""What ``WLDetect`` takes as text, one or many: iterables, odd characters, long texts, and what is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wldetect import WLDetect, _core

LABELS = ["eng_Latn", "spa_Latn", "deu_Latn"]
WORDS = {"one": [2.0, 0.0, 0.0], "uno": [0.0, 2.0, 0.0], "eins": [0.0, 0.0, 2.0]}
MakeModel = Callable[..., Path]


@pytest.fixture
def detector(make_model_dir: MakeModel) -> WLDetect:
    return WLDetect.load(make_model_dir(LABELS, WORDS))


def generate() -> Iterator[str]:
    yield from ("one", "", "eins uno eins")


class Texts(list[str]):
    """A subclass of ``list`` that gives other texts than it holds."""

    def __iter__(self) -> Iterator[str]:
        return generate()


@pytest.mark.parametrize(
    "texts",
    [
        list(generate()),
        tuple(generate()),
        dict.fromkeys(generate()),
        np.array(list(generate())),
        np.array(list(generate()), dtype=object),
        Texts(["uno"]),
        generate,
    ],
    ids=["list", "tuple", "dict", "array", "object-array", "list-subclass", "generator"],
)
def test_any_iterable_of_strings_gives_a_list(detector: WLDetect, texts: Any) -> None:
    found = detector.predict(texts() if callable(texts) else texts)
    assert type(found) is list
    assert found == [detector.predict(text) for text in generate()]
    assert [pair and pair[0] for pair in found] == ["eng_Latn", None, "deu_Latn"]
    labels, _ = detector.predict_arrays(texts() if callable(texts) else texts)
    assert labels.tolist() == [0, -1, 2]


def test_nothing_in_nothing_out(detector: WLDetect) -> None:
    empty: tuple[Any, ...] = ([], (), iter(()), np.array([], dtype=object))
    for texts in empty:
        assert detector.predict(texts) == []


class Text(str):
    """A subclass of ``str`` that says it is another text, as libraries of rich text may."""

    def __str__(self) -> str:
        return "one"


def test_subclasses_of_str_are_the_text_they_hold(detector: WLDetect) -> None:
    assert detector.predict(Text("uno")) == detector.predict("uno")
    assert detector.predict([Text("uno"), np.str_("eins")]) == detector.predict(["uno", "eins"])


def test_none_among_texts_has_no_answer(detector: WLDetect) -> None:
    found = detector.predict([None, "uno", None, "eins", None])
    assert [pair and pair[0] for pair in found] == [None, "spa_Latn", None, "deu_Latn", None]
    assert detector.predict([None]) == [None]
    assert detector.predict(np.array(["uno", None])) == [detector.predict("uno"), None]


def test_strings_of_answers_are_shared(detector: WLDetect) -> None:
    first, second = detector.predict(["uno", "uno uno"])
    single = detector.predict("uno")
    assert first is not None and second is not None and single is not None
    assert first[0] is second[0] is single[0] is detector.languages[1]


@pytest.mark.parametrize("text", ["", " ", "\n", "\r\n\t", "\0", "\u3000", "\ud800", "\udfff\ud800", "gibberish", "😀"])
def test_texts_that_say_nothing_are_none(detector: WLDetect, text: str) -> None:
    assert detector.predict(text) is None
    assert detector.predict([text]) == [None]
    assert detector.probabilities(text) is None
    assert [part.tolist() for part in detector.predict_arrays([text])] == [[-1], [0.0]]
    assert detector.probabilities([text]).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    "text",
    [
        *("eins\n", "\n\neins", "eins\0 eins", "\0 eins", "\ud800 eins", "eins \udcff\udc80", "\ufeff eins"),
        *("eins \U0010ffff", "eins <bos>", "👩‍👩‍👧 eins 🏳️‍🌈", "eins \u0301\u0301", "\u202e eins", "eins\r\neins"),
    ],
)
def test_odd_characters_beside_words_do_no_harm(detector: WLDetect, text: str) -> None:
    found = detector.predict(text)
    assert found is not None and found[0] == "deu_Latn"
    assert detector.predict([text, text]) == [found, found]


@pytest.mark.parametrize("text", ["<bos>", "<bos><bos>", " " * 1000, "\n" * 1000, "😀" * 1000, "\0" * 1000, "e" * 1000])
def test_texts_of_one_odd_thing_are_none(detector: WLDetect, text: str) -> None:
    assert detector.predict(text) is None
    assert detector.predict([text, "eins", text]) == [None, detector.predict("eins"), None]


def test_lone_surrogates_are_read_as_the_replacement_character(make_model_dir: MakeModel) -> None:
    # Once for each byte that the surrogate would have had.
    detector = WLDetect.load(make_model_dir(["a", "b"], {"x": [1.0, 0.0], "\ufffd" * 3: [0.0, 1.0]}))
    found = detector.predict("\ud800")
    assert found is not None and found[0] == "b"
    assert detector.predict(["\udfff", "x", "\ud800"])[::2] == [found, found]
    assert detector.predict_arrays(["\ud800"])[0].tolist() == [1]
    assert detector.tokenize("x \ud800") == [0, 1]


@pytest.mark.parametrize("size", [10 << 20, pytest.param(100 << 20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("character", ["e", " ", "é", "😀"], ids=["ascii", "space", "two-bytes", "four-bytes"])
def test_long_texts_of_one_character(detector: WLDetect, character: str, size: int) -> None:
    text = character * (size // len(character.encode()))
    assert detector.predict(text) is None
    assert detector.predict(["eins", text, "eins"]) == [detector.predict("eins"), None, detector.predict("eins")]


@pytest.mark.parametrize("size", [10 << 20, pytest.param(100 << 20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("character", ["a", " ", "é", "😀"], ids=["letter", "space", "two-bytes", "four-bytes"])
def test_long_texts_of_one_character_in_pieces(bpe_model_dir: Path, character: str, size: int) -> None:
    detector = WLDetect.load(bpe_model_dir)
    text = character * (size // len(character.encode()))
    # All that is known of it speaks for no language.
    assert detector.predict_arrays(["ja", text, "no"])[0].tolist() == [0, 0, 1]
    assert detector.predict(text) == ("a", pytest.approx(1 / 3))
    assert len(detector.tokenize(text)) == detector.max_sequence_length


def test_odd_texts_in_pieces(bpe_model_dir: Path) -> None:
    detector = WLDetect.load(bpe_model_dir)
    answers = {"ja": "a", "\0 no": "b", "\ud800ja": "a", "<bos>": "c", "<bos>no no": "b", "👩‍👩‍👧 ja": "a", "<bos": "a"}
    assert [pair and pair[0] for pair in detector.predict(answers)] == list(answers.values())
    assert detector.predict("") is None
    assert detector.tokenize("\0ja\ud800<bos>") == [0, 261, *[0xEF, 0xBF, 0xBD] * 3, 263]


def test_lists_of_many_texts(detector: WLDetect) -> None:
    texts = [None, "uno", "", "eins eins", "\ud800 one"] * 20_000
    found = detector.predict(texts)
    assert found == [None, *(detector.predict(text) for text in ("uno", "", "eins eins", "\ud800 one"))] * 20_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "text: expected str or an iterable of str, found NoneType"),
        (3, "text: expected str or an iterable of str, found int"),
        (3.5, "text: expected str or an iterable of str, found float"),
        (b"eins", "text: expected str or an iterable of str, found bytes"),
        (bytearray(b"eins"), "text: expected str or an iterable of str, found bytearray"),
        (memoryview(b"eins"), "text[0]: expected str or None, found int"),
        ([b"eins"], "text[0]: expected str or None, found bytes"),
        (["eins", None, 3], "text[2]: expected str or None, found int"),
        (("eins", float("nan")), "text[1]: expected str or None, found float"),
        ([["eins"]], "text[0]: expected str or None, found list"),
    ],
)
def test_what_is_not_text_is_a_type_error(detector: WLDetect, text: Any, expected: str) -> None:
    for method in (detector.predict, detector.probabilities):
        with pytest.raises(TypeError) as caught:
            method(text)
        assert str(caught.value) == expected
    expected = expected.replace("text", "texts", 1).replace("str or an iterable", "an iterable")
    with pytest.raises(TypeError) as caught:
        detector.predict_arrays(text)
    assert str(caught.value) == expected


def test_one_string_is_no_batch(detector: WLDetect) -> None:
    tokenizer = _core.Tokenizer((Path(detector.path) / "tokenizer.json").read_text(encoding="utf-8"))
    for method in (detector.predict_arrays, tokenizer.encode_batch):
        with pytest.raises(TypeError, match=r"^texts: expected an iterable of str, found str$"):
            method("eins")
    with pytest.raises(TypeError, match=r"^texts\[1\]: expected str, found NoneType$"):
        tokenizer.encode_batch(["eins", None])  # type: ignore[list-item]


def test_tokenize_takes_one_string(detector: WLDetect) -> None:
    wrong: Any
    for wrong in (None, 3, b"eins", ["eins"]):
        with pytest.raises(TypeError):
            detector.tokenize(wrong)


def test_tokens_are_those_that_count(make_model_dir: MakeModel) -> None:
    detector = WLDetect.load(make_model_dir(LABELS, WORDS, max_sequence_length=3))
    found = detector.tokenize("eins uno")
    assert found == [2, 1] and type(found) is list and type(found[0]) is int
    assert detector.tokenize("eins uno one one") == [2, 1, 0]
    assert detector.tokenize("") == []


def test_errors_of_an_iterator_come_through(detector: WLDetect) -> None:
    def failing() -> Iterator[str]:
        yield "uno"
        raise RuntimeError("no more")

    class Unready:
        def __iter__(self) -> Iterator[str]:
            raise LookupError("not yet")

    for method in (detector.predict, detector.predict_arrays, detector.probabilities):
        with pytest.raises(RuntimeError, match=r"^no more$"):
            method(failing())
        with pytest.raises(LookupError, match=r"^not yet$"):
            method(Unready())


def test_a_generator_may_use_the_detector(detector: WLDetect) -> None:
    def dependent() -> Iterator[str]:
        for text in ("uno", "eins"):
            found = detector.predict([text])[0]
            assert found is not None
            yield {"spa_Latn": "one", "deu_Latn": "uno"}[found[0]]

    assert detector.predict(dependent()) == detector.predict(["one", "uno"])
