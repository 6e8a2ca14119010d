"""`scripts/plain_variants.py`: what each set leaves out and what it keeps, and what the script reads and refuses."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import unicodedata
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wldetect.config import dump_model_config, load_model_config
from wldetect.data.accents import PLAIN as LETTERS
from wldetect.data.accents import without_accents
from wldetect.evaluation.suite import SetKind

SCRIPT = Path(__file__).parents[3] / "scripts" / "plain_variants.py"
MODEL = Path(__file__).parents[3] / "configs" / "models" / "starter.yaml"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plain_variants", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PLAIN = {
    "Příliš žluťoučký kůň": "Prilis zlutoucky kun",
    "Hôm thứ Hai, Đại học đã": "Hom thu Hai, Dai hoc da",
    "Çalışıyor, İstanbul IĞDIR": "Calisiyor, Istanbul IGDIR",
    "Ærø ÆRØ Œuvre straße STRAẞE": "Aero AERO Oeuvre strasse STRASSE",
    "Þórður Łódź Ħaż-Żebbuġ": "Thordur Lodz Haz-Zebbug",
    "ɖeŋu Ŋlɔ Ɛya ƙasa Ɗan": "dengu Nglo Eya kasa Dan",
    "Azərbaycan ƏLAVƏ": "Azerbaycan ELAVE",
    "Τη Δευτέρα, ᾧ Ϊ": "Τη Δευτερα, ω Ι",
    "счётом ўсё ѓ ѝ Мо́ре": "счетом усе г и Море",
}
# Their marks are as much of the text as its letters are.
KEPT = [
    "Мой ЙОД, Київ Їжак",
    "қазақ әңгіме һ ђ ћ",
    "שָׁלוֹם",
    "مُحَمَّد آب أب",
    "हिन्दी क़लम",
    "ภาษาไทยที่นี่",
    "がぎぐ パ",
    "한국어",
    "မြန်မာ",
    "plain text, 1́ ✝\ufe0f ´",
]


@pytest.mark.parametrize("text", PLAIN)
def test_marks_are_left_out(text: str, script: ModuleType) -> None:
    for form in ("NFC", "NFD"):
        assert without_accents(unicodedata.normalize(form, text)) == PLAIN[text]
    assert without_accents(PLAIN[text]) == PLAIN[text]


@pytest.mark.parametrize("text", KEPT)
def test_marks_that_stay(text: str, script: ModuleType) -> None:
    assert without_accents(text) == text
    decomposed = unicodedata.normalize("NFD", text)
    assert unicodedata.normalize("NFD", without_accents(decomposed)) == decomposed


def test_letters_are_written_plainly(script: ModuleType) -> None:
    for letter, plain in LETTERS.items():
        # One that decomposes needs no entry.
        assert unicodedata.normalize("NFD", letter) == letter == letter.lower()
        assert plain.isascii() and plain.islower()
        assert without_accents(letter + "́") == plain


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("«Hej», sagde han -- (1.5 %)!", "Hej sagde han 1 5"),
        ("l'été, rock'n'roll’ 'tis Stanford-háskóla -ja", "l'été rock'n'roll tis Stanford-háskóla ja"),
        ("col·legi · ʻokina ŋ̀-a", "col·legi ʻokina ŋ̀-a"),
        ("細胞を、分類「する」。", "細胞を 分類 する"),
        ("हिन्दी। कि-को", "हिन्दी कि-को"),
        ("צה״ל בית־ספר, ג׳ירפה", "צה״ל בית־ספר ג׳ירפה"),
        ("ما هذا؟ نعم،لا", "ما هذا نعم لا"),
        ("བོད་སྐད་ཡིན།", "བོད་སྐད་ཡིན"),
        ("၎င်း၏ အိမ်။", "၎င်း၏ အိမ်"),
        ("ሰላም፡ለዓለም።", "ሰላም ለዓለም"),
        ("  a \t b\u3000c\n", "a b c"),
        ("a_b [c] d--e", "a b c d e"),
        ("?! …", ""),
        ("", ""),
    ],
)
def test_punctuation_is_left_out(text: str, left: str, script: ModuleType) -> None:
    assert script.no_punctuation(text) == left
    assert script.no_punctuation(left) == left


def test_no_case(script: ModuleType) -> None:
    assert script.VARIANTS[SetKind.NO_CASE]("ΟΔΟΣ İĞ ԱՐԵՎ ǅ 한 Iğ") == "οδος i̇ğ արեվ ǆ 한 iğ"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_sets_are_written(tmp_path: Path) -> None:
    rows = [("Été, déjà!", "fra", "Latn"), ("...", "deu", "Latn"), ("Это й.", "rus", "Cyrl"), (" ", "fra", "Latn")]
    texts, languages, scripts = map(list, zip(*rows, strict=True))
    source = tmp_path / "dev.parquet"
    pq.write_table(pa.table({"text": texts, "iso_639_3": languages, "iso_15924": scripts}), source)
    output = tmp_path / "sets"
    done = run(source, "--output", output)
    assert done.returncode == 0, done.stderr
    expected = {
        "no_accents": [("Ete, deja!", "fra_Latn"), ("...", "deu_Latn"), ("Это й.", "rus_Cyrl")],
        "no_punctuation": [("Été déjà", "fra_Latn"), ("Это й", "rus_Cyrl")],
        "no_case": [("été, déjà!", "fra_Latn"), ("...", "deu_Latn"), ("это й.", "rus_Cyrl")],
    }
    assert sorted(path.name for path in output.iterdir()) == sorted(f"{name}.parquet" for name in expected)
    for name, pairs in expected.items():
        found = pq.read_table(output / f"{name}.parquet").to_pydict()
        assert list(found) == ["text", "language"]
        assert list(zip(found["text"], found["language"], strict=True)) == pairs
    first = f"{output / 'no_accents.parquet'}: 3 texts of 3 languages, 1 of them not as they were"
    assert done.stdout.splitlines()[0] == first
    before = {path: path.read_bytes() for path in output.iterdir()}
    assert run(source, "--output", output).returncode == 0
    assert {path: path.read_bytes() for path in output.iterdir()} == before


def test_languages_of_a_model(tmp_path: Path) -> None:
    model = load_model_config(MODEL).model_copy(update={"languages": {"fra_Latn": 0}})
    config = tmp_path / "model.yaml"
    config.write_text(dump_model_config(model), encoding="utf-8")
    source = tmp_path / "dev.parquet"
    pq.write_table(pa.table({"text": ["Été", "für", "où"], "language": ["fra_Latn", "deu_Latn", "fra_Latn"]}), source)
    done = run(source, "--output", tmp_path / "sets", "--languages", config)
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "sets" / "no_accents.parquet")["text"].to_pylist() == ["Ete", "ou"]

    pq.write_table(pa.table({"text": ["für"], "language": ["deu_Latn"]}), source)
    done = run(source, "--output", tmp_path / "none", "--languages", config)
    message = f"{source}: expected texts of the languages of {config}, found those of deu_Latn"
    assert (done.returncode, done.stderr) == (2, f"plain_variants.py: error: {message}\n")
    assert not (tmp_path / "none").exists()


def test_bad_input(tmp_path: Path) -> None:
    source = tmp_path / "dev.parquet"
    pq.write_table(pa.table({"sentence": ["Été"], "language": ["fra_Latn"]}), source)
    done = run(source, "--output", tmp_path / "sets")
    message = f"{source}: expected a column 'text', found sentence, language"
    assert (done.returncode, done.stderr) == (2, f"plain_variants.py: error: {message}\n")
    pq.write_table(pa.table({"text": ["Été"], "language": ["fra_Latn"]}), source)
    done = run(source, "--output", source)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert str(source) in done.stderr
    done = run(source, "--output", tmp_path / "sets", "--languages", tmp_path / "none.yaml")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert str(tmp_path / "none.yaml") in done.stderr
