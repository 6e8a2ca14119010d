"""Letters that make no words: at random, struck on a keyboard, repeated; and what is written in letters as a code."""

from __future__ import annotations

from wldetect.data.not_language.dice import Dice

__all__ = ["chemistry", "chess", "genome", "keyboard", "mixed_letters", "random_letters", "repeated_letter"]

# First and last code points of letters (marks are left out), by script, with how often each script is drawn.
_SCRIPTS: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = (
    (40, ((0x61, 0x7A),)),
    (6, ((0x61, 0x7A), (0xE0, 0xF6), (0x101, 0x17E))),
    (10, ((0x430, 0x44F),)),
    (4, ((0x430, 0x45F), (0x48A, 0x4FF), (0x500, 0x523))),
    (3, ((0x3B1, 0x3C9),)),
    (2, ((0x3AC, 0x3CE), (0x1F00, 0x1F07), (0x1F10, 0x1F15), (0x1F20, 0x1F27), (0x1F70, 0x1F7D))),
    (6, ((0x627, 0x63A), (0x641, 0x64A))),
    (5, ((0x620, 0x63F), (0x641, 0x64A), (0x671, 0x6D3), (0x750, 0x77F))),
    (4, ((0x5D0, 0x5EA), (0x5F0, 0x5F2))),
    (3, ((0x905, 0x939),)),
    (4, ((0x904, 0x94C), (0x958, 0x961), (0x972, 0x97F))),
    (2, ((0x995, 0x9A8), (0x9AA, 0x9B0), (0x9B6, 0x9B9))),
    (2, ((0xE01, 0xE2E),)),
    (2, ((0xE01, 0xE3A), (0xE40, 0xE4E))),
    (2, ((0x10D0, 0x10F0),)),
    (2, ((0x561, 0x586),)),
    (2, ((0x1200, 0x1206), (0x1208, 0x1246), (0x1260, 0x1286), (0x12A8, 0x12AE))),
    (4, ((0xAC00, 0xD7A3),)),
    (3, ((0x3041, 0x3093),)),
    (3, ((0x30A1, 0x30F6),)),
    (1, ((0xFF66, 0xFF9D),)),
    (2, ((0x1200, 0x1248), (0x1260, 0x1288), (0x12C8, 0x1310), (0x1318, 0x135A))),
    # All of the block: most of its 20,902 characters are rare, so that few of these texts have two in a row that belong
    # together. Fewer than seven might be a name.
    (10, ((0x4E00, 0x9FA5),)),
)
_SUMS = [sum(weight for weight, _ in _SCRIPTS[: last + 1]) for last in range(len(_SCRIPTS))]
_CONSONANTS = "bcdfghjklmnpqrstvwxz"
_BOARDS = (
    ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"), ("qwertyuiop", "asdfghjkl;", "zxcvbnm,."),
    ("1234567890", "qwertzuiop", "asdfghjkl", "yxcvbnm"), ("azertyuiop", "qsdfghjklm", "wxcvbn"),
    ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"), ("ضصثقفغعهخحج", "شسيبلاتنمكط"),
    ("ㅂㅈㄷㄱㅅㅛㅕㅑ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣ"),
)  # fmt: skip
_ELEMENTS = ("H", "C", "N", "O", "S", "P", "Na", "Cl", "K", "Ca", "Mg", "Fe", "Cu", "Zn", "Al", "Si", "F", "Br", "I",
             "Ag",
             "Mn", "Ti", "Pb", "Ba")  # fmt: skip


def random_letters(dice: Dice) -> str:
    """Letters of one script, each drawn by itself: one run of seven or more, or several of five or more.

    Shorter runs are words of some language too often.
    """
    _, ranges = dice.weighted(_SCRIPTS, _SUMS)
    n_runs = 1 if dice.chance(0.5) else dice.power(2, 12)
    runs = []
    for _ in range(n_runs):
        length = dice.number(5 if n_runs > 1 else 7, 16)
        runs.append("".join(chr(dice.number(*dice.one(ranges))) for _ in range(length)))
    text = ("" if ranges[0][0] == 0x4E00 else " ").join(runs)
    return text.upper() if dice.chance(0.2) else text


def mixed_letters(dice: Dice) -> str:
    """Latin letters that cannot be said, or letters of both cases with digits among them."""
    if dice.chance(0.5):
        return dice.some(_CONSONANTS, 6, 14)
    chars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return dice.some(chars, 7, 20) + dice.one("0123456789") + dice.one(chars)


def keyboard(dice: Dice) -> str:
    """Keys that lie side by side or one below the other, struck to and fro, five or more, with spaces or without."""
    rows = dice.one(_BOARDS)
    row, place, text = dice.number(0, len(rows) - 1), dice.number(0, 9), ""
    restless = dice.one((0.0, 0.05, 0.4))
    for _ in range(dice.number(5, 24)):
        text += rows[row][place % len(rows[row])]
        if dice.chance(0.04):
            text += " "
        if dice.chance(restless):
            row = min(len(rows) - 1, max(0, row + dice.one((-1, 1))))
        place += dice.one((-2, -1, -1, 0, 1, 1, 1, 2))
        if dice.chance(restless / 4):
            place = dice.number(0, 9)
    if dice.chance(0.3):
        part = text[:4].strip()
        text = (part + dice.one(("", " "))) * dice.number(2, 6)
    return text.strip()


def repeated_letter(dice: Dice) -> str:
    """One letter four times or more."""
    char = dice.one("abcdefghijlmnopqrstuvxyzABCDEFGHIJLMNOPQRSTUVXYZабвгдежзиклмнопрстуфцчшыэюя")
    return char * dice.number(4, 30)


def chess(dice: Dice) -> str:
    """Moves of a game."""
    first = dice.number(1, 30)
    return " ".join(
        f"{first + turn}.{dice.one(('', ' '))}{_move(dice)} {_move(dice)}" for turn in range(dice.number(1, 9))
    )


def _move(dice: Dice) -> str:
    if dice.chance(0.06):
        return dice.one(("O-O", "O-O-O"))
    square = dice.one("abcdefgh") + dice.one("12345678")
    piece = dice.one(("", "", "", "N", "B", "R", "Q", "K"))
    takes = dice.one(("", "", "", "x")) if piece else dice.one(("", "", f"{dice.one('abcdefgh')}x"))
    return piece + takes + square + dice.one(("", "", "", "", "+", "#", "!", "?!"))


def chemistry(dice: Dice) -> str:
    """A formula, which has a number in it, or a reaction of some."""
    if dice.chance(0.25):
        # As chains of atoms are written in one line.
        atoms = ("C", "C", "C", "CC", "N", "O", "=O", "(=O)", "(C)", "c1ccccc1", "C#N", "[O-]", "[C@H]", "S", "F", "C1",
                 "N1", "Cl", "Br", "=C", "[nH]", "/C=C/", "OC", "(F)", "(N)", "[NH2+]")  # fmt: skip
        return dice.some(atoms, 4, 16) + dice.one(("1", "2", "=O", "[Na+]"))
    if dice.chance(0.2):
        # Groups in brackets, as salts have them.
        return "".join(_group(dice) for _ in range(dice.number(1, 3))) + dice.one(("", "", "·" + _formula(dice)))
    if dice.chance(0.3):
        sides = [" + ".join(_formula(dice) for _ in range(dice.number(1, 2))) for _ in range(2)]
        return dice.one((" → ", " -> ", " ⇌ ", " = ")).join(sides)
    return _formula(dice)


def _formula(dice: Dice) -> str:
    subscript = dice.chance(0.3)
    text = dice.one(("", "", "2", "3")) + dice.one(_ELEMENTS)
    for _ in range(dice.number(1, 4)):
        count = str(dice.number(2, 14))
        text += "".join(chr(0x2080 + int(digit)) for digit in count) if subscript else count
        text += dice.one(_ELEMENTS)
    if dice.chance(0.3):
        text += f"({dice.one(_ELEMENTS)}{dice.one(('', 'H', 'O'))}{dice.number(2, 5)}){dice.number(2, 6)}"
    return text + dice.one(("", "", "2", "3", "+", "⁺", "²⁻"))


def _group(dice: Dice) -> str:
    """Two elements and their numbers in brackets, or one element with its own."""
    if dice.chance(0.3):
        return dice.one(_ELEMENTS) + str(dice.number(2, 6))
    inner = dice.one(_ELEMENTS) + dice.one(("", "", "2")) + dice.one(("O", "H", "N", "F", "Cl", "S"))
    return f"({inner}{dice.one(('', '2', '3', '4', '7'))}){dice.number(2, 9)}"


def genome(dice: Dice) -> str:
    """Bases of DNA or RNA, or amino acids, eight or more."""
    bases = dice.one(("ACGT", "ACGT", "acgt", "ACGU", "ACDEFGHIKLMNPQRSTVWY"))
    text = dice.some(bases, 12 if len(bases) > 4 else 8, 90)
    return dice.one(("", "", "", "5'-")) + text
