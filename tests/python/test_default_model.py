"""The model inside the package: what it is, and that it knows everyday sentences."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import wldetect
from wldetect import WLDetect, _core
from wldetect.config import load_model_config

ROOT = Path(__file__).parents[2]
PACKAGED = Path(wldetect.__file__).with_name("model")
TABLE = PACKAGED / "lookup_table_fp8_e3m4.safetensors"
# A wheel is to stay below 60 MB; files compress to three fifths.
MOST_BYTES = 95_000_000

SENTENCES = {
    "afr_Latn": "Waar het jy die sleutels van die skuur gesit?",
    "arb_Arab": "أين وضعت مفاتيح المخزن الذي خلف البيت؟",
    "ben_Beng": "তুমি গুদামঘরের চাবিগুলো কোথায় রেখেছ?",
    "bul_Cyrl": "Къде си сложил ключовете от бараката?",
    "cat_Latn": "On has deixat les claus del cobert?",
    "ces_Latn": "Kam jsi dal klíče od kůlny?",
    "cmn_Hans": "请你告诉我,你把仓库的钥匙放在什么地方了?我们明天早上还要用。",
    "cym_Latn": "Ble wyt ti wedi rhoi allweddi'r sied?",
    "deu_Latn": "Wo hast du die Schlüssel zum Schuppen hingelegt?",
    "ell_Grek": "Πού έβαλες τα κλειδιά της αποθήκης;",
    "eng_Latn": "Where did you put the keys to the shed?",
    "epo_Latn": "Kien vi metis la ŝlosilojn de la ŝedo?",
    "eus_Latn": "Non utzi dituzu lastategiko giltzak?",
    "fin_Latn": "Mihin panit vajan avaimet?",
    "fra_Latn": "Où as-tu mis les clés de la remise ?",
    "gle_Latn": "Cár chuir tú eochracha an bhotháin?",
    "guj_Gujr": "તમે કોઠારની ચાવીઓ ક્યાં મૂકી?",
    "heb_Hebr": "איפה שמת את המפתחות של המחסן?",
    "hin_Deva": "आपने शेड की चाबियाँ कहाँ रखीं?",
    "hun_Latn": "Hová tetted a fészer kulcsait?",
    "hye_Armn": "Որտե՞ղ ես դրել մառանի բանալիները։",
    "isl_Latn": "Hvar settirðu lyklana að skúrnum?",
    "ita_Latn": "Dove hai messo le chiavi del capanno?",
    "jpn_Jpan": "物置の鍵をどこに置いたの?",
    "kat_Geor": "სად დადე ფარდულის გასაღებები?",
    "kor_Hang": "창고 열쇠를 어디에 두었니?",
    "lit_Latn": "Kur padėjai sandėliuko raktus?",
    "nld_Latn": "Waar heb je de sleutels van de schuur gelegd?",
    "pes_Arab": "کلیدهای انباری را کجا گذاشتی؟",
    "pol_Latn": "Gdzie położyłeś klucze do szopy?",
    "por_Latn": "Onde é que puseste as chaves do barracão?",
    "ron_Latn": "Unde ai pus cheile de la magazie?",
    "rus_Cyrl": "Куда ты положил ключи от сарая?",
    "slk_Latn": "Kam si dal kľúče od kôlne?",
    "spa_Latn": "¿Dónde has puesto las llaves del cobertizo?",
    "swe_Latn": "Var har du lagt nycklarna till skjulet?",
    "swh_Latn": "Umeweka wapi funguo za ghala?",
    "tam_Taml": "கொட்டகையின் சாவிகளை எங்கே வைத்தாய்?",
    "tha_Thai": "คุณวางกุญแจโรงเก็บของไว้ที่ไหน",
    "tur_Latn": "Kulübenin anahtarlarını nereye koydun?",
    "ukr_Cyrl": "Куди ти поклав ключі від сараю?",
    "vie_Latn": "Bạn đã để chìa khóa nhà kho ở đâu?",
}
NOT_LANGUAGE = [
    "https://192.168.0.1:8080/a/b?id=4711&x=%20",
    "2026-11-23T16:00:56Z",
    "+49 30 901820",
    "0x7ffee4c0 0x00000010 0xdeadbeef",
    "550e8400-e29b-41d4-a716-446655440000",
    '{"a": [1, 2.5, null], "b": {"c": true}}',
    "for (int i = 0; i < n; ++i) { x[i] += y[i]; }",
    "3.14159 2.71828 1.41421",
    "-----=====-----",
    "😀😀🎉",
]


@pytest.fixture(scope="module")
def detector() -> WLDetect:
    return WLDetect.load()


def test_it_is_whole_and_small(detector: WLDetect) -> None:
    assert detector.path == PACKAGED
    names = [TABLE.name, "ngram_table_fp8_e3m4.safetensors", _core.COMPILED_TOKENIZER]
    assert sorted(path.name for path in PACKAGED.iterdir()) == sorted(names)
    assert sum(path.stat().st_size for path in PACKAGED.iterdir()) < MOST_BYTES
    assert detector.features == ["tokens", "ngrams"]


def test_its_labels_are_those_of_its_configuration(detector: WLDetect) -> None:
    config = load_model_config(ROOT / "configs" / "models" / "default.yaml")
    assert detector.languages == list(config.labels)
    with safe_open(TABLE, framework="numpy") as file:
        metadata = file.metadata()
    assert json.loads(metadata["hidden_languages"]) == config.hidden_languages
    assert json.loads(metadata["provenance"])["config"]["training"]["dataset"]["forbidden"]


@pytest.mark.parametrize("label", SENTENCES)
def test_everyday_sentences(label: str, detector: WLDetect) -> None:
    answer = detector.predict(SENTENCES[label])
    assert answer is not None
    assert answer[0] == label
    assert answer[1] > 0.5


@pytest.mark.parametrize("text", NOT_LANGUAGE)
def test_what_is_no_language(text: str, detector: WLDetect) -> None:
    answer = detector.predict(text)
    assert answer is not None
    assert answer[0] == "zxx"


def test_a_hidden_language_is_unknown_unless_it_is_asked_for(detector: WLDetect) -> None:
    # Breton.
    text = "Pelec'h ho peus lakaet alc'hwezioù ar c'hardi, mar plij?"
    answer = detector.predict(text)
    assert answer is not None
    assert answer[0] == "und"
    reported = WLDetect.load(hidden="report").predict(text)
    assert reported == ("bre_Latn", answer[1])


def test_one_family_of_rows_is_enough_for_sentences() -> None:
    for features in ("tokens", "ngrams"):
        found = WLDetect.load(features=features).predict(SENTENCES.values())  # type: ignore[arg-type]
        right = [answer is not None and answer[0] == label for label, answer in zip(SENTENCES, found, strict=True)]
        assert np.mean(right) > 0.8
