"""Numbers and what is written with them: dates, times, prices, measures, telephone numbers, codes."""

from __future__ import annotations

from wldetect.data.not_language.dice import Dice

__all__ = [
    "arithmetic",
    "article",
    "barcode",
    "date",
    "digits",
    "measure",
    "number",
    "phone",
    "price",
    "roman",
    "time",
    "version",
]

_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# The digit zero of Arabic, Persian, Devanagari, Bengali, Tamil, Thai, Lao, Myanmar, Khmer, and the full-width digits.
_ZEROS = (0x660, 0x6F0, 0x966, 0x9E6, 0xBE6, 0xE50, 0xED0, 0x1040, 0x17E0, 0xFF10)
_UNITS = (
    "%", "‰", "°", "°C", "°F", "km", "m", "cm", "mm", "kg", "g", "mg", "µg", "l", "ml", "km/h", "m/s", "m²", "m³",
    "kWh", "MW", "V", "mA", "Ω", "Hz", "kHz", "MHz", "GHz", "kB", "MB", "GB", "TB", "Mbit/s", "px", "dB", "hPa",
    "lb", "oz", "ft", "in", "mi", "mph", "mol", "J", "kJ", "kcal", "N", "Nm", "Pa", "kPa", "bar", "psi", "W", "kW",
    "mV", "kV", "A", "Ah", "mAh", "F",
    "ppm", "dpi", "fps", "rpm", "lm", "lx", "pH", "ha", "t", "TWh", "KiB", "MiB", "GiB", "bit", "K", "pt", "em", "€",
    "$", "£", "¥", "₹", "₽", "₩", "₺", "₴", "₫", "฿", "h", "min", "s", "ms", "x", "\"", "'",
)  # fmt: skip
_ROMAN = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
          (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))  # fmt: skip


def digits(dice: Dice) -> str:
    """A run of digits, seldom with zeros in front, one time in six of another script."""
    run = dice.some("0123456789", 1, dice.one((1, 2, 3, 4, 6, 10, 16, 24)))
    return _in_script(run, dice) if dice.chance(1 / 6) else run


def number(dice: Dice) -> str:
    """A number with a sign, separators of thousands, decimals, an exponent or a percent sign, any of which may lack."""
    whole = str(dice.number(0, 10 ** dice.number(1, 10)))
    comma, point = dice.one(((",", "."), (".", ","), (" ", ","), ("'", "."), ("\u202f", ","), ("", "."), ("", ",")))
    if dice.chance(0.6):
        first = len(whole) % 3
        whole = comma.join(part for part in (whole[:first], *_cut(whole[first:], 3)) if part)
    text = dice.one(("", "", "", "", "-", "+", "−", "±", "~", "≈", "#", "№ ")) + whole
    if dice.chance(0.45):
        text += point + dice.some("0123456789", 1, 6)
    if dice.chance(0.08):
        text += dice.one(("e", "E", "e-", "e+")) + str(dice.number(1, 30))
    elif dice.chance(0.1):
        text += dice.one((" %", "%", "‰"))
    return _in_script(text, dice) if dice.chance(0.08) else text


def date(dice: Dice) -> str:
    """A date without names of months, perhaps with a time."""
    year, month, day = dice.number(1900, 2049), dice.number(1, 12), dice.number(1, 28)
    text = dice.one((
        f"{year}-{month:02}-{day:02}", f"{day:02}.{month:02}.{year}", f"{month}/{day}/{year}", f"{day}/{month}/{year}",
        f"{day}.{month}.{year % 100:02}", f"{year}/{month:02}/{day:02}", f"{year}{month:02}{day:02}",
        f"{day}-{month}-{year}", f"{month:02}/{year % 100:02}", f"{year}-W{month * 4:02}", f"{year}.{month}.{day}",
        f"{year}–{year + dice.number(1, 40)}",
    ))  # fmt: skip
    if dice.chance(0.25):
        text += dice.one((" ", "T", ", ", " / ")) + time(dice)
    return _in_script(text, dice) if dice.chance(0.06) else text


def time(dice: Dice) -> str:
    """A time of day, a span of time, or a duration."""
    hour, minute, second = dice.number(0, 23), dice.number(0, 59), dice.number(0, 59)
    clock = f"{hour:02}:{minute:02}"
    return dice.one((
        clock, clock, f"{hour}.{minute:02}", f"{clock}:{second:02}", f"{clock}:{second:02}.{dice.number(0, 999):03}",
        f"{clock}:{second:02}Z", f"{clock}+0{dice.number(0, 9)}:00", f"{clock}–{(hour + 2) % 24:02}:{minute:02}",
        f"{hour}h{minute:02}", f"{minute}'{second:02}\"", f"00:{minute:02}:{second:02},{dice.number(0, 999):03}",
    ))  # fmt: skip


def price(dice: Dice) -> str:
    """An amount with a sign of currency or its code."""
    amount = dice.one((
        str(dice.number(1, 999)), f"{dice.number(0, 999)}.{dice.number(0, 99):02}",
        f"{dice.number(0, 999)},{dice.number(0, 99):02}", f"{dice.number(1, 999)},{dice.number(0, 999):03}",
        f"{dice.number(1, 99)}.{dice.number(0, 999):03},{dice.number(0, 99):02}", f"{dice.number(1, 99)},—",
    ))  # fmt: skip
    sign = dice.one("€$£¥₹₽₩₺₴₫₪฿₦₱")
    code = dice.one(("EUR", "USD", "GBP", "JPY", "CHF", "INR", "CNY", "BRL", "SEK", "PLN", "ZAR", "TRY"))
    return dice.one((sign + amount, f"{amount} {sign}", amount + sign, f"{amount} {code}", f"{code} {amount}"))


def measure(dice: Dice) -> str:
    """A number with a unit, a size of several numbers, or a score."""
    value = dice.one((str(dice.number(0, 2000)), f"{dice.number(0, 99)}.{dice.number(0, 99)}",
                      f"{dice.number(0, 99)},{dice.number(0, 9)}"))  # fmt: skip
    small = [str(dice.number(0, 300)) for _ in range(3)]
    return dice.one((
        value + dice.one(_UNITS), f"{value} {dice.one(_UNITS)}", f"{value} {dice.one(_UNITS)}", "×".join(small),
        f"{small[0]} x {small[1]} cm", f"{small[0]}:{small[1]}", f"{small[0]}/{small[1]}", f"{small[0]}–{small[1]}",
        f"{dice.number(0, 89)}°{dice.number(0, 59)}'{dice.number(0, 59)}\"{dice.one('NS')}",
        f"{dice.number(-89, 89)}.{dice.number(1000, 9999)}, {dice.number(-179, 179)}.{dice.number(1000, 9999)}",
        f"{dice.number(1, 9)}½", f"{dice.number(480, 2160)}p", f"{dice.number(1, 8)}K", f"(+{small[0]}/-{small[1]})",
    ))  # fmt: skip


def phone(dice: Dice) -> str:
    """A telephone number."""
    parts = [dice.some("0123456789", 2, 4) for _ in range(dice.number(2, 4))]
    start = dice.one(("", "", "0", "+", "00", "(0)", "☎ ", "+1 ", "tel:+"))
    if dice.chance(0.3):
        parts[0] = f"({parts[0]})"
    return start + dice.one((" ", "-", ".", "/", "", " - ")).join(parts)


def version(dice: Dice) -> str:
    """A version of a program."""
    parts = ".".join(str(dice.number(0, 30)) for _ in range(dice.number(2, 4)))
    return dice.one(("", "", "v", "V", ">=", "^", "~", "==")) + parts + dice.one(("", "", "", "-rc1", "b2", "+7", "-0"))


def article(dice: Dice) -> str:
    """A code of letters and digits: of an article, a book, a flight, an account, a number plate."""
    head, tail = dice.some(_CAPITALS, 1, 4), dice.some("0123456789", 2, 8)
    run = dice.some(_CAPITALS + "0123456789", 5, 14) + dice.one("0123456789")
    return dice.one((
        head + tail, f"{head}-{tail}", f"{head} {tail}", f"{head}{tail}-{dice.one(_CAPITALS)}", run, f"#{tail}",
        f"978-{dice.number(0, 9)}-{dice.number(100, 999)}-{dice.number(10000, 99999)}-{dice.one('0123456789X')}",
        f"{head[:2]}{dice.number(10, 99)} " + " ".join(_cut(dice.some("0123456789", 12, 20), 4)),
        " ".join(_cut(dice.some("0123456789", 16, 16), 4)), f"{tail}/{dice.number(1, 40)}", f"[{tail}]", f"§{tail}",
        "-".join(_cut(dice.some(_CAPITALS + "0123456789", 20, 25), 5)),
    ))  # fmt: skip


def roman(dice: Dice) -> str:
    """A Roman number of five letters or more: many shorter ones are words."""
    while True:
        value, text = dice.number(13, 3999), ""
        for size, letters in _ROMAN:
            text += letters * (value // size)
            value %= size
        if len(text) >= 5:
            return text


def arithmetic(dice: Dice) -> str:
    """A sum, an equation or an inequality of numbers and one-letter names."""
    term = dice.one(("x", "y", "n", "t", "2x", "x²", "a_1", "π", "√2", "3", "10", "0.5", "-1", "(x+1)", "|x|", "n!"))
    text = str(dice.number(0, 99))
    for _ in range(dice.number(1, 4)):
        other = term if dice.chance(0.3) else str(dice.number(0, 999))
        text += dice.one(("+", "-", "*", "/", " + ", " - ", " × ", " ÷ ", " · ", "^")) + other
    return text + dice.one(("", "=", " = ?", f"={dice.number(0, 9999)}", f" = {dice.number(0, 999)}", " ≤ 0", " > x"))


def barcode(dice: Dice) -> str:
    """Bars, of characters that look like them, perhaps with the digits below."""
    bars = dice.some(dice.one(("|│", "▌▐█ ", "║│▌█", "▮▯", "❚❙", "|I l")), 6, 40).strip() or "||"
    return bars + dice.one(("", "", "\n", " ")) + dice.some("0123456789", 8, 13)


def _in_script(text: str, dice: Dice) -> str:
    """``text`` with the digits of another script."""
    zero = dice.one(_ZEROS)
    return "".join(chr(zero + int(char)) if char in "0123456789" else char for char in text)


def _cut(text: str, size: int) -> list[str]:
    return [text[first : first + size] for first in range(0, len(text), size)]
