"""Names that machines read: addresses of the network, paths of files, identifiers, hashes, encoded bytes."""

from __future__ import annotations

from wldetect.data.not_language.dice import Dice

__all__ = [
    "colour",
    "domain",
    "encoded",
    "handle",
    "hashed",
    "identifier",
    "ip",
    "made_up",
    "mail",
    "path",
    "url",
    "uuid",
]

_HEX = "0123456789abcdef"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_LETTERS = _LOWER + _LOWER.upper()
_ONSETS = ("b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "x", "z", "br", "ch",
           "cl", "dr",
           "fl", "gr", "kr", "ph", "pl", "pr", "qu", "sh", "sk", "st", "th", "tr", "")  # fmt: skip
_RIMES = ("a", "e", "i", "o", "u", "y", "an", "ar", "el", "en", "er", "in", "is", "on", "or", "os", "us", "ix", "ax",
          "ex", "ek", "um",
          "ee", "oo", "ia", "io")  # fmt: skip
_ENDS = ("com", "com", "com", "org", "net", "io", "de", "fr", "co.uk", "ru", "cn", "jp", "com.br", "info", "dev", "eu",
         "in", "it", "nl", "pl", "se", "es", "edu", "app", "ai", "tv", "me", "gov", "xyz")  # fmt: skip
# What stands in paths everywhere.
_PARTS = ("img", "api", "v1", "v2", "static", "assets", "js", "css", "src", "lib", "bin", "usr", "var", "tmp", "etc",
          "p",
          "en", "de", "wp-content", "dist", "node_modules", "cdn", "cgi-bin", "public", "index", "id", "uploads",
          "x86_64")  # fmt: skip
_SUFFIXES = ("html", "php", "jpg", "png", "pdf", "zip", "js", "css", "py", "rs", "c", "h", "txt", "xml", "json", "csv",
             "tar.gz", "mp4", "exe", "dll", "so", "docx", "xlsx", "log", "svg", "md")  # fmt: skip
_KEYS = ("id", "q", "p", "page", "ref", "utm_source", "v", "lang", "t", "s", "sid", "sort", "w", "h", "k", "fbclid")
_ROOTS = ("/", "/usr/", "/var/log/", "/home/", "/etc/", "./", "../", "~/", "C:\\", "D:\\", "\\\\srv", "/opt/", "/tmp/")
# What names in programs are put together of: jargon, and words of English that are there everywhere. The latter are few
# here, since they are English by themselves.
_JARGON = (
    "get", "set", "val", "tmp", "idx", "buf", "len", "ctx", "cfg", "req", "res", "str", "num", "ptr", "arr",
    "obj", "src", "dst", "max", "min", "id", "fn", "cb", "err", "msg", "init", "db", "io", "ui", "http", "xml",
    "url", "uid", "crc", "ref", "dir", "pos", "x", "y", "i", "n", "foo", "bar", "del", "iter", "char", "int",
    "bool", "async", "param", "arg", "kwargs", "env", "var", "const", "func", "proc", "exec", "impl", "cls",
    "inst", "attr", "prop", "elem", "doc", "dom", "css", "img", "href", "div", "json", "yaml", "csv", "sql",
    "api", "utc", "vec", "mat", "dim", "bin", "hex", "oct", "ascii", "utf", "lib", "cmd", "pid", "tcp", "udp",
    "ip", "mac", "ssh", "tls", "rgb", "rgba", "cpu", "gpu", "ram", "fs", "mmap", "malloc", "sizeof", "argv",
    "argc", "stdin", "stdout", "stderr", "stdio", "regex", "repr", "eval", "enum", "struct", "typedef", "uint",
    "int32", "float64", "noop", "util", "utils", "ctor", "dtor", "ret", "sz", "cnt", "prev", "curr", "addr",
    "reg", "seq", "pkt", "hdr", "fd", "rd", "wr", "mx", "lhs", "rhs", "expr", "stmt", "ident", "tok", "lex",
    "ast", "opt", "opts", "params", "args", "conf", "config", "mgr", "svc", "auth", "oauth", "jwt", "ws", "rpc",
    "grpc", "dto", "dao", "orm", "vm", "k8s", "aws", "gcp", "sdk", "cli", "tty", "mutex", "sem", "irq", "dma",
)  # fmt: skip
_WORDS = (
    "key", "node", "hash", "add", "new", "old", "has", "is", "to", "from", "parse", "read", "write", "open",
    "close", "next", "first", "last", "item", "list", "map", "dict", "value", "name", "type", "data", "file",
    "path", "line", "text", "token", "word", "byte", "bit", "float", "size", "count", "index", "start", "end",
    "begin", "stop", "step", "offset", "width", "height", "left", "right", "top", "root", "parent", "child",
    "tree", "graph", "edge", "view", "model", "user", "admin", "event", "handler", "listener", "callback",
    "sync", "thread", "lock", "queue", "stack", "heap", "pool", "cache", "store", "load", "save", "update",
    "delete", "insert", "select", "query", "table", "column", "row", "cell", "field", "form", "input", "output",
    "button", "label", "click", "code", "error", "log", "debug", "test", "mock", "stub", "spec", "option",
    "static", "final", "class", "method", "call", "run", "main", "loop", "each", "filter", "reduce", "sort",
    "find", "match", "replace", "split", "join", "strip", "trim", "format", "print", "render", "draw", "paint",
    "color", "image", "pixel", "font", "style", "layout", "client", "server", "socket", "port", "host", "proxy",
    "session", "cookie", "header", "body", "rest", "login", "secret", "sign", "verify", "encode", "decode",
    "encrypt", "random", "seed", "time", "date", "now", "day", "year", "zone", "local", "math", "sum", "avg",
    "mean", "sqrt", "abs", "shape", "tensor", "batch", "epoch", "layer", "loss", "grad", "weight", "bias",
    "rate", "helper", "factory", "builder", "manager", "service", "controller", "base", "abstract", "default",
    "null", "none", "true", "self", "this", "super", "tag", "span",
)  # fmt: skip


def made_up(dice: Dice, first: int, last: int) -> str:
    """That many syllables, as names of firms, machines and accounts are made up."""
    return "".join(dice.one(_ONSETS) + dice.one(_RIMES) for _ in range(dice.number(first, last)))


def identifier(dice: Dice) -> str:
    """A name in a program: a letter, short parts put together in one of the usual ways, or syllables."""
    parts = [dice.one(_WORDS if dice.chance(0.3) else _JARGON) for _ in range(dice.number(1, 3))]
    number = dice.one(("", "", "", str(dice.number(0, 99))))
    match dice.number(0, 5):
        case 0:
            return dice.one(_LOWER)
        case 1:
            return parts[0] + "".join(part.capitalize() for part in parts[1:]) + number
        case 2:
            return "".join(part.capitalize() for part in parts) + number
        case 3:
            return "_".join(parts).upper() + number
        case 4:
            return made_up(dice, 2, 3) + number
        case _:
            return dice.one(("", "", "_")) + "_".join(parts) + number


def domain(dice: Dice) -> str:
    """The name of a machine."""
    name = made_up(dice, 2, 4) + dice.one(("", "", "", "-" + made_up(dice, 1, 1), str(dice.number(1, 365))))
    return dice.one(("", "", "www.", "api.", "cdn.", "m.", "mail.")) + name + "." + dice.one(_ENDS)


def url(dice: Dice) -> str:
    """A URL, long or short, with or without a scheme; its path has no words but those of every server."""
    text = dice.one(("https://", "https://", "https://", "http://", "ftp://", "", "www.", "//", "ws://")) + domain(dice)
    if dice.chance(0.06):
        text += f":{dice.number(80, 9999)}"
    for _ in range(dice.one((0, 1, 1, 2, 3, 4))):
        text += "/" + _part(dice)
    if dice.chance(0.3):
        text += "." + dice.one(_SUFFIXES)
    elif dice.chance(0.2):
        text += "/"
    if dice.chance(0.3):
        pairs = [f"{dice.one(_KEYS)}={_value(dice)}" for _ in range(dice.number(1, 4))]
        text += "?" + "&".join(pairs)
    if dice.chance(0.1):
        text += "#" + _value(dice)
    return text


def mail(dice: Dice) -> str:
    """An address of electronic mail."""
    name = made_up(dice, 1, 4)
    if dice.chance(0.5):
        name = dice.one((name, dice.one(_LOWER))) + dice.one("._-+") + made_up(dice, 1, 4)
    return (
        dice.one(("", "", "", "mailto:", "<")) + name + dice.one(("", str(dice.number(1, 2010)))) + "@" + domain(dice)
    )


def ip(dice: Dice) -> str:
    """An address of version 4 or 6, perhaps with a port or a length of a network, or an address of hardware."""
    match dice.number(0, 3):
        case 0:
            return dice.one((":", "-")).join(dice.some(_HEX, 2, 2) for _ in range(6))
        case 1:
            groups = [dice.some(_HEX, 1, 4) for _ in range(dice.number(3, 8))]
            return ":".join(groups[:2]) + dice.one(("::", ":")) + ":".join(groups[2:])
        case _:
            text = ".".join(str(dice.number(0, 255)) for _ in range(4))
            if dice.chance(0.08):
                return text + "." + domain(dice)
            return text + dice.one(("", "", f":{dice.number(20, 65535)}", f"/{dice.number(8, 32)}"))


def handle(dice: Dice) -> str:
    """The name of a user or a tag, with digits in it, since those without may be words."""
    return dice.one("@@#") + made_up(dice, 1, 3) + dice.one(("_", "")) + str(dice.number(1, 2099))


def path(dice: Dice) -> str:
    """The path of a file or a folder."""
    root = dice.one(_ROOTS)
    sign = "\\" if "\\" in root else "/"
    parts = [_part(dice) for _ in range(dice.number(1, 5))]
    return root + sign.join(parts) + dice.one(("", sign, "." + dice.one(_SUFFIXES), "." + dice.one(_SUFFIXES)))


def uuid(dice: Dice) -> str:
    """A UUID, perhaps in capitals or braces."""
    text = "-".join(dice.some(_HEX, size, size) for size in (8, 4, 4, 4, 12))
    return dice.one((text, text, text.upper(), f"{{{text}}}", f"urn:uuid:{text}", text.replace("-", "")))


def hashed(dice: Dice) -> str:
    """Hexadecimal digits: of a hash, of memory, of bytes; at least six, with a figure among them."""
    size = dice.one((6, 7, 8, 12, 32, 40, 56, 64, 96, 128))
    text = dice.some(_HEX, size, size) + dice.one("0123456789")
    start = dice.one(("", "", "", "", "0x", "sha256:", "md5:", "\\x", "#"))
    if dice.chance(0.12):
        return " ".join(dice.some(_HEX, 2, 2) for _ in range(dice.number(4, 24)))
    if dice.chance(0.06):
        return dice.some("01", 8, 48)
    return start + (text.upper() if dice.chance(0.2) else text)


def encoded(dice: Dice) -> str:
    """Bytes in base 64, base 32, percent signs, or escapes; or a token of three parts."""
    alphabet = _LETTERS + "0123456789+/"
    size = 4 * dice.power(3, 80)
    match dice.number(0, 6):
        case 0:
            return dice.some("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", size, size) + dice.one(("", "==", "==="))
        case 1:
            return "".join("%" + dice.some(_HEX.upper(), 2, 2) for _ in range(dice.power(3, 30)))
        case 2:
            return "".join(dice.one(("\\u", "\\x", "&#x")) + dice.some(_HEX, 4, 4) for _ in range(dice.power(3, 20)))
        case 3:
            safe = _LETTERS + "0123456789-_"
            return "eyJ" + dice.some(safe, 12, 40) + ".eyJ" + dice.some(safe, 12, 90) + "." + dice.some(safe, 20, 43)
        case 4:
            kind = dice.one(("image/png", "image/svg+xml", "font/woff2", "text/css"))
            return f"data:{kind};base64,{dice.some(alphabet, size, size)}"
        case _:
            return dice.some(alphabet, size, size) + dice.one(("", "=", "=="))


def colour(dice: Dice) -> str:
    """A colour as style sheets write it."""
    size = dice.one((3, 6, 6, 8))
    rgb = ", ".join(str(dice.number(0, 255)) for _ in range(3))
    return dice.one(("#" + dice.some(_HEX, size, size), f"rgb({rgb})", f"rgba({rgb}, 0.{dice.number(1, 9)})"))


def _part(dice: Dice) -> str:
    """One part of a path."""
    return dice.one((
        dice.one(_PARTS), dice.one(_PARTS), made_up(dice, 1, 3), str(dice.number(1, 99999)),
        f"{made_up(dice, 1, 2)}{dice.one('_-')}{dice.number(0, 999)}",
        dice.some(_LETTERS + "0123456789_-", 8, 12),
        f"IMG_{dice.number(1000, 9999)}", f"{dice.number(1999, 2049)}/{dice.number(1, 12):02}",
    ))  # fmt: skip


def _value(dice: Dice) -> str:
    return dice.one((str(dice.number(0, 9999)), dice.some(_HEX, 6, 16), dice.one(_PARTS), made_up(dice, 1, 2)))
