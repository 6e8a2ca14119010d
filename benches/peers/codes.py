"""Language codes of different detectors, compared loosely.

ISO 639-1, ISO 639-3 and a few codes of their own meet at the ISO 639-3 macrolanguage where there is one. Scripts are
ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["language_key", "score"]

# ISO 639-1 and ISO 639-3, in turn.
_PAIRS = """
aa aar ab abk af afr ak aka am amh an arg ar ara as asm av ava ay aym az aze ba bak be bel bg bul bi bis bm bam bn ben
bo bod br bre bs bos ca cat ce che ch cha co cos cr cre cs ces cu chu cv chv cy cym da dan de deu dv div dz dzo ee ewe
el ell en eng eo epo es spa et est eu eus fa fas ff ful fi fin fj fij fo fao fr fra fy fry ga gle gd gla gl glg gn grn
gu guj gv glv ha hau he heb hi hin ho hmo hr hrv ht hat hu hun hy hye hz her ia ina id ind ie ile ig ibo ii iii ik ipk
io ido is isl it ita iu iku ja jpn jv jav ka kat kg kon ki kik kj kua kk kaz kl kal km khm kn kan ko kor kr kau ks kas
ku kur kv kom kw cor ky kir la lat lb ltz lg lug li lim ln lin lo lao lt lit lu lub lv lav mg mlg mh mah mi mri mk mkd
ml mal mn mon mr mar ms msa mt mlt my mya na nau nb nor nd nde ne nep ng ndo nl nld nn nno no nor nr nbl nv nav ny nya
oc oci oj oji om orm or ori os oss pa pan pi pli pl pol ps pus pt por qu que rm roh rn run ro ron ru rus rw kin sa san
sc srd sd snd se sme sg sag sh hbs si sin sk slk sl slv sm smo sn sna so som sq sqi sr srp ss ssw st sot su sun sv swe
sw swa ta tam te tel tg tgk th tha ti tir tk tuk tl tgl tn tsn to ton tr tur ts tso tt tat tw aka ty tah ug uig uk ukr
ur urd uz uzb ve ven vi vie vo vol wa wln wo wol xh xho yi yid yo yor za zha zh zho zu zul
iw heb in ind jw jav mo ron
"""
# Members of macrolanguages, as FLORES, GlotLID and the peers name them.
_MEMBERS = """
acm ara acq ara aeb ara ajp ara apc ara arb ara ars ara ary ara arz ara als sqi aln sqi ayr aym azb aze azj aze cmn zho
dik din ekk est fil tgl fuv ful gaz orm gug grn khk mon kmr kur knc kau lvs lav nob nor npi nep ory ori pbt pus pes fas
plt mlg prs fas quy que swh swa twi aka uzn uzb ydd yid zsm msa
"""


def _pairs(words: str) -> dict[str, str]:
    codes = words.split()
    return dict(zip(codes[::2], codes[1::2], strict=True))


_MACRO = _pairs(_PAIRS) | _pairs(_MEMBERS)


def language_key(code: str) -> str:
    """What ``code`` (``de``, ``deu``, ``deu_Latn``, ``zh-Hant``) is compared by."""
    language = code.replace("-", "_").split("_")[0].lower()
    return _MACRO.get(language, language)


def score(answers: Sequence[str | None], labels: Sequence[str], languages: Iterable[str]) -> tuple[int, int]:
    """How many texts of a known language were given that language, and how many there are.

    Args:
        answers: the code answered for each text, or None.
        labels: the true code of each text.
        languages: the codes that the detector can answer.
    """
    known = {language_key(code) for code in languages}
    right = asked = 0
    for answer, label in zip(answers, labels, strict=True):
        key = language_key(label)
        if key in known:
            asked += 1
            right += answer is not None and language_key(answer) == key
    return right, asked
