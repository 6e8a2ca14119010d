"""Which letters are of which script, as far as Python's own Unicode data tell: by the letters' names.

A letter's name begins with that of its script: ``CYRILLIC SMALL LETTER A``, ``CJK UNIFIED IDEOGRAPH-4E00``. Letters
whose names do not (``MODIFIER LETTER APOSTROPHE``, ``MICRO SIGN``) are used with several scripts or are rare, and count
for none.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["letter_scripts", "script_matrix", "script_of_label"]

# ISO 15924 code of each script, by what the names of its letters begin with.
_NAMES = {
    "ADLAM": "Adlm", "AHOM": "Ahom", "ANATOLIAN HIEROGLYPH": "Hluw", "ANGSTROM": "Latn", "ARABIC": "Arab",
    "ARMENIAN": "Armn", "AVESTAN": "Avst", "BALINESE": "Bali", "BAMUM": "Bamu", "BASSA VAH": "Bass", "BATAK": "Batk",
    "BENGALI": "Beng", "BHAIKSUKI": "Bhks", "BOPOMOFO": "Bopo", "BRAHMI": "Brah", "BUGINESE": "Bugi", "BUHID": "Buhd",
    "CANADIAN SYLLABICS": "Cans", "CARIAN": "Cari", "CAUCASIAN ALBANIAN": "Aghb", "CHAKMA": "Cakm", "CHAM": "Cham",
    "CHEROKEE": "Cher", "CHORASMIAN": "Chrs", "CJK": "Hani", "COPTIC": "Copt", "CUNEIFORM": "Xsux", "CYPRIOT": "Cprt",
    "CYPRO-MINOAN": "Cpmn", "CYRILLIC": "Cyrl", "DESERET": "Dsrt", "DEVANAGARI": "Deva", "DIVES AKURU": "Diak",
    "DOGRA": "Dogr", "DUPLOYAN": "Dupl", "EGYPTIAN HIEROGLYPH": "Egyp", "ELBASAN": "Elba", "ELYMAIC": "Elym",
    "ETHIOPIC": "Ethi", "FEMININE ORDINAL": "Latn", "FULLWIDTH LATIN": "Latn", "GARAY": "Gara", "GEORGIAN": "Geor",
    "GLAGOLITIC": "Glag", "GOTHIC": "Goth", "GRANTHA": "Gran", "GREEK": "Grek", "GUJARATI": "Gujr",
    "GUNJALA GONDI": "Gong", "GURMUKHI": "Guru", "HALFWIDTH HANGUL": "Hang", "HALFWIDTH KATAKANA": "Kana",
    "HANGUL": "Hang", "HANIFI ROHINGYA": "Rohg", "HANUNOO": "Hano", "HATRAN": "Hatr", "HEBREW": "Hebr",
    "HENTAIGANA": "Hira", "HIRAGANA": "Hira", "IDEOGRAPHIC": "Hani", "IMPERIAL ARAMAIC": "Armi",
    "INSCRIPTIONAL PAHLAVI": "Phli", "INSCRIPTIONAL PARTHIAN": "Prti", "JAVANESE": "Java", "KAITHI": "Kthi",
    "KANNADA": "Knda", "KATAKANA": "Kana", "KAWI": "Kawi", "KAYAH LI": "Kali", "KELVIN": "Latn", "KHAROSHTHI": "Khar",
    "KHITAN": "Kits", "KHMER": "Khmr", "KHOJKI": "Khoj", "KHUDAWADI": "Sind", "LAO": "Laoo", "LATIN": "Latn",
    "LEPCHA": "Lepc", "LIMBU": "Limb", "LINEAR A": "Lina", "LINEAR B": "Linb", "LISU": "Lisu", "LYCIAN": "Lyci",
    "LYDIAN": "Lydi", "MAHAJANI": "Mahj", "MAKASAR": "Maka", "MALAYALAM": "Mlym", "MANDAIC": "Mand",
    "MANICHAEAN": "Mani", "MARCHEN": "Marc", "MASARAM GONDI": "Gonm", "MASCULINE ORDINAL": "Latn",
    "MEDEFAIDRIN": "Medf", "MEETEI MAYEK": "Mtei", "MENDE KIKAKUI": "Mend", "MEROITIC CURSIVE": "Merc",
    "MEROITIC HIEROGLYPHIC": "Mero", "MIAO": "Plrd", "MODI": "Modi", "MONGOLIAN": "Mong", "MRO": "Mroo",
    "MULTANI": "Mult", "MYANMAR": "Mymr", "NABATAEAN": "Nbat", "NAG MUNDARI": "Nagm", "NANDINAGARI": "Nand",
    "NEW TAI LUE": "Talu", "NEWA": "Newa", "NKO": "Nkoo", "NUSHU": "Nshu", "NYIAKENG PUACHUE HMONG": "Hmnp",
    "OGHAM": "Ogam", "OHM": "Grek", "OL CHIKI": "Olck", "OL ONAL": "Onao", "OLD HUNGARIAN": "Hung",
    "OLD ITALIC": "Ital", "OLD NORTH ARABIAN": "Narb", "OLD PERMIC": "Perm", "OLD PERSIAN": "Xpeo",
    "OLD SOGDIAN": "Sogo", "OLD SOUTH ARABIAN": "Sarb", "OLD TURKIC": "Orkh", "OLD UYGHUR": "Ougr", "ORIYA": "Orya",
    "OSAGE": "Osge", "OSMANYA": "Osma", "PAHAWH HMONG": "Hmng", "PALMYRENE": "Palm", "PAU CIN HAU": "Pauc",
    "PHAGS-PA": "Phag", "PHOENICIAN": "Phnx", "PSALTER PAHLAVI": "Phlp", "REJANG": "Rjng", "ROMAN NUMERAL": "Latn",
    "RUNIC": "Runr", "SAMARITAN": "Samr", "SAURASHTRA": "Saur", "SHARADA": "Shrd", "SHAVIAN": "Shaw", "SIDDHAM": "Sidd",
    "SIGNWRITING": "Sgnw", "SINHALA": "Sinh", "SOGDIAN": "Sogd", "SORA SOMPENG": "Sora", "SOYOMBO": "Soyo",
    "SUNDANESE": "Sund", "SUNUWAR": "Sunu", "SUPERSCRIPT LATIN": "Latn", "SYLOTI NAGRI": "Sylo", "SYRIAC": "Syrc",
    "TAGALOG": "Tglg", "TAGBANWA": "Tagb", "TAI LE": "Tale", "TAI THAM": "Lana", "TAI VIET": "Tavt", "TAKRI": "Takr",
    "TAMIL": "Taml", "TANGSA": "Tnsa", "TANGUT": "Tang", "TELUGU": "Telu", "THAANA": "Thaa", "THAI": "Thai",
    "TIBETAN": "Tibt", "TIFINAGH": "Tfng", "TIRHUTA": "Tirh", "TODHRI": "Todr", "TOTO": "Toto", "TULU-TIGALARI": "Tutg",
    "UGARITIC": "Ugar", "VAI": "Vaii", "VITHKUQI": "Vith", "WANCHO": "Wcho", "WARANG CITI": "Wara", "YEZIDI": "Yezi",
    "YI": "Yiii", "ZANABAZAR SQUARE": "Zanb",
}  # fmt: skip
# Codes of several scripts, and of variants, which Unicode does not tell apart.
_SEVERAL = {
    "Aran": ("Arab",), "Cyrs": ("Cyrl",), "Geok": ("Geor",), "Latf": ("Latn",), "Latg": ("Latn",),
    "Syre": ("Syrc",), "Syrj": ("Syrc",), "Syrn": ("Syrc",),
    "Hans": ("Hani",), "Hant": ("Hani",), "Hanb": ("Hani", "Bopo"),
    "Hrkt": ("Hira", "Kana"), "Jpan": ("Hani", "Hira", "Kana"), "Kore": ("Hang", "Hani"),
}  # fmt: skip
# 0 stands for what is no letter, 1 for letters of no known script.
_CODES = {script: number for number, script in enumerate(sorted(set(_NAMES.values())), start=2)}
_IN_LABEL = re.compile(r"_([A-Z][a-z]{3})(?=_|$)")


def script_of_label(label: str) -> str | None:
    """The ISO 15924 code in a label such as ``deu_Latn``, if it is one whose letters are known; else None."""
    found = _IN_LABEL.search(label)
    script = found.group(1) if found else ""
    return script if script in _CODES or script in _SEVERAL else None


@cache
def letter_scripts() -> NDArray[np.uint8]:
    """What each character is: 0 for no letter (Unicode category L), 1 for a letter of no script, else its script.

    Returns:
        uint8 [0x110000], by code point.
    """
    table = np.zeros(sys.maxunicode + 1, dtype=np.uint8)
    for point in range(sys.maxunicode + 1):
        character = chr(point)
        if unicodedata.category(character)[0] == "L":
            # The only letters without names in these data are those of Tangut.
            table[point] = _code_of_name(unicodedata.name(character, "TANGUT"))
    return table


def _code_of_name(name: str) -> int:
    # Names of scripts have up to three words; hyphens part a letter's number from its name.
    words = re.split(r" |-(?=[0-9A-F]{4,5}$)", name, maxsplit=3)
    for count in (3, 2, 1):
        script = _NAMES.get(" ".join(words[:count]))
        if script is not None:
            return _CODES[script]
    return 1


def script_matrix(labels: Sequence[str]) -> NDArray[np.bool_]:
    """Which scripts, by the codes of `letter_scripts`, are the label's; of a label without a known script, all are.

    Returns:
        bool [L, number of codes].
    """
    matrix = np.zeros((len(labels), max(_CODES.values()) + 1), dtype=np.bool_)
    for row, label in enumerate(labels):
        script = script_of_label(label)
        if script is None:
            matrix[row] = True
        else:
            matrix[row, [_CODES[part] for part in _SEVERAL.get(script, (script,))]] = True
    return matrix
