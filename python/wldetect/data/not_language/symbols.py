"""Punctuation, emoji, and other characters that are no letters, and what is drawn with them."""

from __future__ import annotations

from wldetect.data.not_language.dice import Dice

__all__ = ["art", "box", "emoji", "emoticon", "mathematics", "music", "punctuation", "symbols"]

_MARKS = "!?.,;:-_~*#+=<>/\\|@$%^&()[]{}'\"`"
# Of Arabic, Chinese and Japanese, Armenian, Devanagari, Greek, Ethiopic, Spanish, and of typography.
_OTHER_MARKS = "،؛؟。、，！？：；「」『』【】（）《》·…—–‐«»„“”‘’¿¡†‡•‣§¶։।॥·፡።※"
# First and last code points of emoji, all of them older than Unicode 11.
_EMOJI = ((0x1F600, 0x1F64F), (0x1F300, 0x1F320), (0x1F330, 0x1F393), (0x1F3A0, 0x1F3C4), (0x1F400, 0x1F43E),
          (0x1F440, 0x1F4F7), (0x1F680, 0x1F6C5), (0x1F910, 0x1F93A), (0x2600, 0x26FD), (0x2702, 0x27B0))  # fmt: skip
_PEOPLE = "👨👩👧👦👶🧒🧑👴👵"
_HANDS = "👋👍👎👏🙌🙏💪✌☝👌🤝"
# Arrows, technical signs, geometrical shapes, dingbats, Braille patterns, squared letters.
_SYMBOLS = ((0x2190, 0x21FF), (0x2300, 0x2335), (0x25A0, 0x25FF), (0x2701, 0x27BF), (0x2801, 0x28FF), (0x2460, 0x249B),
            (0x2600, 0x266F), (0x2B00, 0x2B2F))  # fmt: skip
_FACES = (
    ":)", ":-)", ":(", ":-(", ";)", ";-)", ":/", ":|", ":*", "<3", "</3", "^_^", "^^", "-_-", ">_<", "o_O", "O_o", "=)",
    "(-:", ":')", ":'(", "¯\\_(ツ)_/¯", "(╯°□°)╯︵ ┻━┻", "(づ｡◕‿‿◕｡)づ", "(•_•)", "ʕ•ᴥ•ʔ", "(ಠ_ಠ)", "\\o/", "*_*",
    "=^.^=", "(^o^)", "(>_<)", "(T_T)", "m(_ _)m", "8-)", ">:(", "(✿◠‿◠)", "(¬_¬)", "~_~", "+_+", "@_@", "$_$",
)  # fmt: skip
# Small letters of mathematics: italic (without h, which is elsewhere), bold, script, double-struck.
_ITALIC = "".join(map(chr, (*range(0x1D44E, 0x1D455), *range(0x1D456, 0x1D468))))
_STYLED = _ITALIC + "".join(map(chr, (*range(0x1D41A, 0x1D434), *range(0x1D4EA, 0x1D504), *range(0x1D552, 0x1D56C))))
_NOTES = "♩♪♫♬♭♮♯𝄞𝄢𝄪𝄫"
_RULES = ("=", "-", "*", "~", "#", "_", "=-", "*-", "-~", "<>", "/\\", ".:", "◆◇", "━", "☆★")
# Of a frame: across, down, and the corners and crossings row by row.
_LINES = (("─", "│", "┌┬┐├┼┤└┴┘"), ("═", "║", "╔╦╗╠╬╣╚╩╝"), ("-", "|", "+++++++++"), ("━", "┃", "┏┳┓┣╋┫┗┻┛"))
_CHORDS = ("C", "D", "E", "F", "G", "A", "B", "H")
_CHORD_ENDS = ("#m7", "m7", "7", "maj7", "sus4", "dim7", "#", "b", "6", "9", "/G", "m7b5", "add9", "5")


def punctuation(dice: Dice) -> str:
    """Marks: one repeated, or several in any order."""
    marks = _MARKS if dice.chance(0.7) else _OTHER_MARKS
    if dice.chance(0.5):
        return dice.one(marks) * dice.power(1, 40)
    return dice.some(marks, 1, dice.power(2, 16), dice.one(("", "", "", " ")))


def emoji(dice: Dice) -> str:
    """One emoji: plain, with a tone of skin, joined of several, a flag, or a keycap."""
    match dice.number(0, 11):
        case 0:
            return dice.one(_HANDS) + chr(dice.number(0x1F3FB, 0x1F3FF))
        case 1:
            return dice.some(_PEOPLE, 2, 4, "\u200d")
        case 2:
            return chr(dice.number(0x1F1E6, 0x1F1FF)) + chr(dice.number(0x1F1E6, 0x1F1FF))
        case 3:
            return dice.one("0123456789#*") + "\ufe0f\u20e3"
        case 4:
            return dice.one("❤☀☎✈✉☺♥⚠♻✔") + "\ufe0f"
        case _:
            return chr(dice.number(*dice.one(_EMOJI)))


def emoticon(dice: Dice) -> str:
    """A face made of marks."""
    return dice.one(_FACES)


def symbols(dice: Dice) -> str:
    """Arrows, shapes, circled numbers and the like, of one block or several."""
    blocks = _SYMBOLS if dice.chance(0.3) else (dice.one(_SYMBOLS),)
    between = dice.one(("", "", " "))
    return between.join(chr(dice.number(*dice.one(blocks))) for _ in range(dice.power(1, 20)))


def mathematics(dice: Dice) -> str:
    """A formula of signs of mathematics, with one-letter names."""
    names = dice.one(("xyzabnkfgABSαβγλμσφωΓΔΣΩℝℕℤ", "αβγδεζηθικλμνξπρστυφχψω", _ITALIC, _STYLED))
    parts = []
    for _ in range(dice.number(2, 8)):
        any_sign = chr(dice.number(0x2200, 0x22FF))
        parts.append(any_sign if dice.chance(0.3) else dice.one("∀∃∈∉⊂⊆∪∩∧∨¬⇒⇔→↦∑∏∫∂∇√∞≈≠≤≥±×÷∘⊕⊗∝∅"))
        parts.append(dice.one(names) + dice.one(("", "", "₁", "₂", "²", "ₙ", "′", "(x)")))
    return dice.one((" ", "", " ")).join(parts)


def music(dice: Dice) -> str:
    """Notes, chords, or a tablature."""
    match dice.number(0, 2):
        case 0:
            return dice.some(_NOTES, 1, 12, dice.one(("", " ")))
        case 1:
            chords = [dice.one(_CHORDS) + dice.one(_CHORD_ENDS) for _ in range(dice.number(3, 10))]
            return dice.one((" ", " | ", "  ", " - ")).join(chords)
        case _:
            return "\n".join(f"{string}|{dice.some('-----0123579', 8, 24)}|" for string in "eBG")


def box(dice: Dice) -> str:
    """A frame or a table of lines, with numbers in its cells, or a bar of progress."""
    if dice.chance(0.3):
        done, width = dice.number(0, 20), 20
        signs = dice.one(("#-", "█░", "=.", "▓░", "■□", "#.", "━─"))
        return f"[{signs[0] * done}{signs[1] * (width - done)}] {100 * done // width}%"
    across, down, corners = dice.one(_LINES)
    widths = [dice.number(2, 8) for _ in range(dice.number(1, 4))]

    def rule(first: int) -> str:
        return corners[first] + corners[first + 1].join(across * width for width in widths) + corners[first + 2]

    rows = []
    for _ in range(dice.number(1, 3)):
        cells = [dice.some("0123456789", 0, width).rjust(width) for width in widths]
        rows.append(down + down.join(cells) + down)
    lines = [rule(0)]
    for row in rows:
        lines += [row, rule(3)]
    lines[-1] = rule(6)
    return "\n".join(lines)


def art(dice: Dice) -> str:
    """Lines of few different characters, mirrored or not, as pictures are made of them, or a line that parts."""
    if dice.chance(0.4):
        return dice.one(_RULES) * dice.number(4, 40)
    if dice.chance(0.3):
        # Few signs far from each other.
        sign, width = dice.one("*.oOx+#@°·▪●○"), dice.number(4, 24)
        signs = sign + dice.one(("", "", " ", dice.one(".oO*+-")))

        return (
            "\n".join(
                " " * dice.number(0, width) + dice.some(signs, 1, 6, dice.one(("", " ", "  ")))
                for _ in range(dice.number(2, 9))
            ).strip()
            or sign
        )
    chars = dice.some("/\\|_-=+*#@.:oO()<>^ ", 3, 6) + " "
    lines = []
    for _ in range(dice.number(2, 7)):
        half = dice.some(chars, 2, 12)
        mirrored = half[::-1].translate(str.maketrans("/\\()<>", "\\/)(><"))
        lines.append((half + mirrored if dice.chance(0.6) else half).rstrip())
    text = "\n".join(lines).strip("\n")
    return text if text.strip() else "/\\_/\\"
