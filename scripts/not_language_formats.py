"""Texts in the formats of machines, written by those modules of the standard library that know them.

For `scripts/not_language_samples.py`.
"""

from __future__ import annotations

import argparse
import ast
import base64
import binascii
import colorsys
import csv
import difflib
import dis
import hashlib
import inspect
import io
import ipaddress
import json
import logging
import math
import pprint
import random
import textwrap
import tokenize
import traceback
import urllib.parse
import uuid
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from email.utils import formataddr
from fractions import Fraction
from pathlib import PurePosixPath, PureWindowsPath

Rng = random.Random
# Modules whose sources are taken for code.
MODULES = (argparse, ast, base64, colorsys, difflib, dis, ipaddress, json, logging, pprint, textwrap, tokenize,
           traceback, uuid)  # fmt: skip
TLDS = ("com", "net", "org", "io", "de", "fr", "it", "ru", "br", "in", "jp", "kr", "cn", "uk", "info", "edu", "gov")


def bits(rng: Rng, size: int) -> bytes:
    return bytes(rng.randrange(256) for _ in range(size))


def moment(rng: Rng) -> datetime:
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=rng.randrange(2**31))


def name(rng: Rng) -> str:
    """Consonants and vowels in turn, as names of accounts and machines are made up."""
    pairs = [rng.choice("bcdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(1, 4))]
    return "".join(pairs) + rng.choice(["", "", "n", "x", "s", str(rng.randrange(100))])


def number(rng: Rng) -> str:
    value = rng.choice([rng.randrange(10**9), round(rng.gauss(0, 1000), rng.randint(1, 5)), rng.random()])
    return rng.choice(
        [f"{value}", f"{value:,}", f"{value:_}", f"{value:e}", f"{value:+}", f"{value:.1%}", f"{value:08}"]
    )


def exact_number(rng: Rng) -> str:
    return str(
        rng.choice(
            [
                Fraction(rng.randrange(1, 99), rng.randrange(2, 99)),
                Decimal(rng.randrange(10**6)) / 1000,
                complex(rng.randrange(9), rng.randrange(9)),
                math.factorial(rng.randint(5, 40)),
                hex(rng.randrange(2**40)),
                oct(rng.randrange(2**20)),
                bin(rng.randrange(2**16)),
            ]
        )
    )


def date(rng: Rng) -> str:
    formats = [
        "%Y-%m-%d",
        "%d/%m/%Y",
        "%m/%d/%y",
        "%d.%m.%y",
        "%Y%m%dT%H%M%S",
        "%H:%M:%S",
        "%Y.%m.%d %H:%M",
        "%H.%M",
        "%d-%m-%Y %I:%M",
        "%G-W%V-%u",
        "%j/%Y",
        "%H:%M:%S.%f",
        "%s",
    ]
    return rng.choice([moment(rng).isoformat(), moment(rng).strftime(rng.choice(formats[:-1]))])


def span(rng: Rng) -> str:
    return str(timedelta(seconds=rng.randrange(86400), milliseconds=rng.choice([0, 250])))


def phone(rng: Rng) -> str:
    return "".join(
        rng.choice("0123456789") if char == "9" else char
        for char in rng.choice(
            [
                "+99 99 9999-9999",
                "(999) 999-9999",
                "999.999.9999",
                "09999/999999",
                "+9-999-999-9999",
                "99 99 99 99 99",
                "+999 9 999 99 99",
                "9999-999-999",
                "+99999999999",
            ]
        )
    )


def amount(rng: Rng) -> str:
    value = rng.randrange(10 ** rng.randint(2, 8)) / 100
    symbol = rng.choice([chr(point) for point in range(0x20A0, 0x20BF)] + list("$£¥¢"))
    return rng.choice(
        [f"{symbol}{value:,.2f}", f"{value:.2f}{symbol}", f"-{symbol}{value:.0f}", f"{symbol} {value:.2f}"]
    )


def quantity(rng: Rng) -> str:

    units = [
        "kg",
        "km",
        "cm",
        "mm",
        "mL",
        "GB",
        "MiB",
        "kW",
        "mV",
        "°C",
        "Pa",
        "N·m",
        "rpm",
        "fps",
        "ppm",
        "dpi",
        "Ah",
        "oz",
    ]
    return f"{rng.choice([rng.randrange(1, 5000), rng.randrange(100) / 10])}{rng.choice(['', ' '])}{rng.choice(units)}"


def addresses(rng: Rng) -> str:
    four, six = ipaddress.IPv4Address(rng.randrange(2**32)), ipaddress.IPv6Address(rng.randrange(2**128))
    network = ipaddress.IPv4Network((rng.randrange(2**16) << 16, 16))
    mac = bits(rng, 6)
    return str(rng.choice([four, six, six.exploded, network, four.reverse_pointer, mac.hex("-").upper(), mac.hex(":")]))


def url(rng: Rng) -> str:
    query = urllib.parse.urlencode(
        {name(rng): rng.choice([rng.randrange(999), bits(rng, 4).hex()]) for _ in range(rng.randrange(4))}
    )

    path = "/".join(
        rng.choice([name(rng), str(rng.randrange(10**6)), bits(rng, 5).hex(), "a", "user", "download", "node"])
        for _ in range(rng.randrange(5))
    )
    host = ".".join([rng.choice(["www", "en", "docs", "img1", "shop"]), name(rng) + name(rng), rng.choice(TLDS)])
    return urllib.parse.urlunsplit((rng.choice(["https", "https", "http", "sftp"]), host, path, query, ""))


def mail(rng: Rng) -> str:
    address = f"{name(rng)}{rng.choice(['', '.', '_', '+'])}{name(rng)}@{name(rng)}.{rng.choice(TLDS)}"
    return rng.choice(
        [address, address, formataddr(("", address)), f"<{name(rng)}-{rng.randrange(10**9)}@{name(rng)}.local>"]
    )


def path(rng: Rng) -> str:
    parts = [
        rng.choice([name(rng), bits(rng, 3).hex(), f"{name(rng)}.{rng.randrange(9)}"]) for _ in range(rng.randint(1, 5))
    ]
    suffix = rng.choice([".tsx", ".bak", ".o", ".ipynb", ".hpp", ".7z", ".ttf", ".webp", ".lock", ".d.ts"])
    return (
        str(rng.choice([PurePosixPath("/srv", *parts), PurePosixPath(*parts), PureWindowsPath("E:/", *parts)])) + suffix
    )


def digest(rng: Rng) -> str:
    return hashlib.new(rng.choice(["md5", "sha1", "sha256", "sha512", "blake2s"]), bits(rng, 8)).hexdigest()


def identifier(rng: Rng) -> str:
    value = uuid.UUID(int=rng.getrandbits(128), version=4)
    return rng.choice([str(value), value.hex, value.urn, str(value).upper()])


def encoded(rng: Rng) -> str:
    data = bits(rng, rng.randint(9, 200))
    way = rng.choice([base64.b64encode, base64.b32encode, base64.urlsafe_b64encode, base64.b85encode, binascii.hexlify])
    return way(data).decode()


def dump(rng: Rng) -> str:
    data = bits(rng, 32)
    lines = [f"{8 * row:08x}  {data[8 * row : 8 * row + 8].hex(' ')}" for row in range(rng.randint(1, 4))]
    return "\n".join(lines)


def value(rng: Rng, depth: int = 2) -> object:
    if depth == 0 or rng.random() < 0.3:
        return rng.choice(
            [rng.randrange(999), rng.random(), None, True, name(rng), bits(rng, 4).hex(), moment(rng).isoformat()]
        )
    if rng.random() < 0.4:
        return [value(rng, depth - 1) for _ in range(rng.randint(1, 4))]
    return {name(rng): value(rng, depth - 1) for _ in range(rng.randint(1, 4))}


def json_text(rng: Rng) -> str:
    return json.dumps({name(rng): value(rng) for _ in range(rng.randint(1, 4))}, indent=rng.choice([None, None, 1, 4]))


def python_value(rng: Rng) -> str:
    return pprint.pformat({name(rng): value(rng) for _ in range(3)}, width=rng.choice([40, 100]))


def xml_text(rng: Rng) -> str:
    root = ET.Element(name(rng), {name(rng): str(rng.randrange(99))})
    for _ in range(rng.randint(1, 4)):
        child = ET.SubElement(root, name(rng), {name(rng): bits(rng, 2).hex()} if rng.random() < 0.5 else {})
        child.text = rng.choice([None, str(rng.random()), bits(rng, 3).hex()])
    return ET.tostring(root, encoding="unicode")


def table(rng: Rng) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=rng.choice(",;\t"), quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    for _ in range(rng.randint(1, 5)):
        writer.writerow(
            [rng.randrange(10**5), f"{rng.random():.4f}", date(rng), bits(rng, 3).hex()][: rng.randint(2, 4)]
        )
    return out.getvalue().strip()


def library_lines() -> list[str]:
    """Lines of the sources of some modules, without comments, text in quotes of more than one word, and blank lines."""
    lines = []
    for module in MODULES:
        source = inspect.getsource(module)
        hidden: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and " " in token.string):
                hidden.update(range(token.start[0], token.end[0] + 1))
            elif "FSTRING" in tokenize.tok_name[token.type]:
                hidden.add(token.start[0])
        lines += [line for row, line in enumerate(source.split("\n"), 1) if row not in hidden and len(line.split()) > 1]
    return lines


LINES = library_lines()
FUNCTIONS = [found for module in MODULES for _, found in inspect.getmembers(module, inspect.isfunction)]


def code(rng: Rng) -> str:
    start = rng.randrange(len(LINES))
    return "\n".join(LINES[start : start + rng.randint(1, 8)])


def difference(rng: Rng) -> str:
    start = rng.randrange(len(LINES) - 12)
    old = LINES[start : start + 8]
    new = [line for line in old if rng.random() < 0.7] + LINES[start + 9 : start + 10]
    found = list(difflib.unified_diff(old, new, f"a/{name(rng)}.py", f"b/{name(rng)}.py", lineterm="", n=0))
    return "\n".join(found[: rng.randint(3, 12)])


def assembler(rng: Rng) -> str:
    found = dis.Bytecode(rng.choice(FUNCTIONS))
    rows = [f"{one.offset:4} {one.opname:<20} {'' if one.arg is None else one.arg}".rstrip() for one in found]
    start = rng.randrange(max(1, len(rows) - 6))
    return "\n".join(rows[start : start + rng.randint(1, 6)])


def tree(rng: Rng) -> str:
    return ast.dump(ast.parse(f"{name(rng)} = {name(rng)}[{rng.randrange(9)}](x, {rng.random():.2f})"))[
        : rng.randint(60, 300)
    ]


def trace(rng: Rng) -> str:
    frames = []
    for _ in range(rng.randint(1, 4)):
        frames.append(traceback.FrameSummary(path(rng), rng.randrange(999), name(rng), line=rng.choice(LINES).strip()))
    return "".join(traceback.format_list(frames)) + rng.choice(["", f"{name(rng).title()}Error: {rng.randrange(99)}"])


def log(rng: Rng) -> str:
    form = rng.choice(["%(levelname)s:%(name)s:%(msg)s", "%(created)f %(process)d %(name)s[%(lineno)d] %(msg)s"])
    record = logging.LogRecord(
        name(rng), rng.choice([10, 20, 30]), "", rng.randrange(999), f"{name(rng)}={rng.randrange(999)}", None, None
    )
    record.created, record.process = moment(rng).timestamp(), rng.randrange(99999)
    return logging.Formatter(form).format(record)


def header(rng: Rng) -> str:
    return rng.choice(
        [
            f'ETag: W/"{bits(rng, 8).hex()}"',
            f"X-{name(rng).title()}-Id: {rng.randrange(10**8)}",
            f"Set-Cookie: {name(rng)}={bits(rng, 12).hex()}; Max-Age={rng.randrange(9999)}",
            f"Message-ID: {bits(rng, 6).hex()}@{name(rng)}",
            f"Range: bytes={rng.randrange(99)}-{rng.randrange(9999)}",
        ]
    )


def style(rng: Rng) -> str:
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.random(), rng.random())
    rules = [
        f"width:{rng.randrange(999)}px",
        f"top:-{rng.randrange(9)}rem",
        f"background:rgb({red:.0%} {green:.0%} {blue:.0%})",
        f"z-index:{rng.randrange(99)}",
        f"transform:rotate({rng.randrange(360)}deg)",
        "display:grid",
    ]
    return f"{rng.choice('.#')}{name(rng)}::before{{{';'.join(rng.sample(rules, rng.randint(1, 4)))}}}"


def query(rng: Rng) -> str:
    return rng.choice(
        [
            f"DELETE FROM {name(rng)} WHERE {name(rng)} IN ({rng.randrange(9)}, {rng.randrange(99)});",
            f"ALTER TABLE {name(rng)} ADD COLUMN {name(rng)} BIGINT NOT NULL DEFAULT {rng.randrange(9)};",
            f"select t.{name(rng)}, max(t.{name(rng)}) from {name(rng)} t having max(t.x) > {rng.randrange(99)}",
        ]
    )


def command(rng: Rng) -> str:
    return rng.choice(
        [
            f"rsync -avz --delete {name(rng)}/ {name(rng)}@{addresses(rng)}:{path(rng)}",
            f"kubectl get pods -n {name(rng)} -o wide",
            f"ffmpeg -i {name(rng)}.mkv -c:v libx264 -crf {rng.randrange(30)} {name(rng)}.mp4",
            f"ps aux | sort -nrk {rng.randrange(9)}",
            f"npm i -D {name(rng)}@{rng.randrange(9)}.{rng.randrange(20)}.0",
            f"gcc -O2 -Wall -o {name(rng)} {name(rng)}.c -l{name(rng)}",
            f"openssl enc -aes-256-cbc -K {bits(rng, 8).hex()}",
            f"wget -qO- {url(rng)} | xxd -l {rng.randrange(99)}",
        ]
    )
