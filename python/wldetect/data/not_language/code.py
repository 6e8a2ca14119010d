"""Text of formal languages: programs, mark-up, data, queries, commands, logs; from templates with random names.

Comments, and names and messages of English words, are left out: who writes them writes English.
"""

from __future__ import annotations

from wldetect.data.not_language import addresses, numbers
from wldetect.data.not_language.dice import Dice, Maker

__all__ = ["KINDS", "comma_separated", "json_text", "latex", "log", "markup"]


def _integer(dice: Dice) -> str:
    return str(dice.one((0, 1, 2, dice.number(0, 99), dice.number(0, 4096))))


def _value(dice: Dice) -> str:
    """Something to be assigned or compared."""
    name = addresses.identifier(dice)
    return dice.one((
        _integer(dice), _integer(dice), name, name, f"{dice.number(0, 9)}.{dice.number(0, 99)}", f'"{name}"',
        f"'{name}'",
        "0x" + dice.some("0123456789abcdef", 2, 8), f"{name}[{_integer(dice)}]", f"{name}({_integer(dice)})",
    ))  # fmt: skip


_COMMANDS = (
    "ls", "cp", "mv", "cat", "tail", "head", "ps", "df", "du", "ln", "nc", "dd", "tar", "zip", "ssh", "scp", "git",
    "apt", "npm", "npx",
    "pip3", "go", "gcc", "g++", "clang", "cmake", "cargo", "kubectl", "docker", "helm", "systemctl", "journalctl",
    "ffmpeg", "rsync",
    "wget", "curl", "openssl", "dig", "ping", "ip", "iptables", "python3", "node", "perl", "awk", "sed", "grep",
    "xargs", "chown",
    "tmux", "vim", "brew", "yarn", "psql", "mysql", "redis-cli", "terraform", "aws", "gdb", "strace", "xxd", "jq",
    "uname", "lsof",
)  # fmt: skip
_MAKERS: dict[str, Maker] = {
    "n": addresses.identifier,
    "i": _integer,
    "v": _value,
    "o": lambda dice: dice.one("+-*/%&|^"),
    "c": lambda dice: dice.one(("==", "!=", "<", ">", "<=", ">=")),
    "t": lambda dice: dice.one(("int", "char", "float", "double", "void", "bool", "uint8_t", "size_t", "long")),
    "r": lambda dice: dice.one(("i32", "u8", "u64", "usize", "f32", "&str", "Vec<u8>", "Option<u32>")),
    "h": lambda dice: dice.one(("div", "span", "p", "a", "li", "td", "tr", "ul", "h1", "img", "b", "svg", "br")),
    "l": lambda dice: dice.some("abcdefghijklmnopqrstuvwxyzABCDRSTXO", 1, 4),
    "cmd": lambda dice: dice.one(_COMMANDS),
    "hex": lambda dice: dice.some("0123456789abcdef", 2, 8),
    "path": addresses.path,
    "url": addresses.url,
    "ip": addresses.ip,
    "date": numbers.date,
    "time": numbers.time,
    "colour": addresses.colour,
    "unit": lambda dice: dice.one(("px", "em", "%", "rem", "vh", "pt", "")),
    "reg": lambda dice: dice.one(("eax", "ebx", "rsp", "rdi", "r8", "x0", "sp", "$t0", "xmm1")),
}

_PROGRAMS: dict[str, tuple[str, ...]] = {
    "python": (
        "def ‹n›(‹n›, ‹n›=‹v›):", "    return ‹v› ‹o› ‹v›", "    ‹n› = [‹n› for ‹n› in range(‹i›)]", "import ‹n›.‹n›",
        "from ‹n› import ‹n›", "if ‹n› ‹c› ‹v›:", "    self.‹n› = ‹n›", "for ‹n› in ‹n›:", "    print(‹n›, ‹v›)",
        "‹n› = {‹v›: ‹v›, ‹v›: ‹v›}", "class ‹n›(‹n›):", "    raise ‹n›(‹v›)", "‹n›.‹n›(‹v›, ‹n›=‹v›)",
        "with open(‹v›) as f:",
        "‹n› = lambda x: x ‹o› ‹i›", "    yield ‹n›[‹i›:‹i›]", "assert ‹n› ‹c› ‹v›", ">>> ‹n›(‹v›)", "@‹n›.‹n›",
        "    except ‹n›:", "np.zeros((‹i›, ‹i›), dtype=np.float32)", "if __name__ == '__main__':", "elif not ‹n›:",
    ),
    "javascript": (
        "const ‹n› = ‹v›;", "let ‹n› = (‹n›) => ‹n› ‹o› ‹i›;", "function ‹n›(‹n›, ‹n›) {", "  return ‹n›.‹n›;", "}",
        "if (‹n› === ‹v›) {", "document.getElementById('‹n›')", "‹n›.map(x => x.‹n›)", "console.log(‹n›);", "});",
        "await fetch(`${‹n›}/‹n›`)", "export default ‹n›;", "var ‹n›=‹v›,‹n›=‹v›;", "$('#‹n›').on('click', ‹n›);",
        "import { ‹n› } from './‹n›';", "!function(e,t){‹n›(e)}(this);", "for (let i = 0; i < ‹i›; i++) {",
        "?? undefined);",
    ),
    "c": (
        "#include <‹n›.h>", "‹t› ‹n›(‹t› ‹n›, ‹t› *‹n›) {", "    ‹t› ‹n› = ‹v›;", "    for (int i = 0; i < ‹i›; ++i)",
        "    return ‹n›->‹n›;", "}", "#define ‹n› (‹i› << ‹i›)", "    if (!‹n›) return -‹i›;",
        "std::vector<‹t›> ‹n›(‹i›);",
        "printf(\"%d %s\\n\", ‹n›, ‹n›);", "struct ‹n› { ‹t› ‹n›; };", "    *‹n›++ = ‹n›[i] ‹o› ‹i›;",
        "template <typename T>",
        "memcpy(‹n›, ‹n›, sizeof(‹n›));", "static const ‹t› ‹n›[‹i›];", "#endif", "auto ‹n› = ‹n›::‹n›(‹v›);", "NULL);",
    ),
    "java": (
        "public static ‹t› ‹n›(String[] ‹n›) {", "private final ‹n›<‹n›> ‹n› = new ‹n›<>();",
        "System.out.println(‹n›);",
        "@Override", "import com.‹n›.‹n›.*;", "}", "    this.‹n› = ‹n›;", "throw new ‹n›Exception(‹v›);",
    ),
    "rust": (
        "fn ‹n›(‹n›: ‹r›) -> ‹r› {", "    let mut ‹n› = ‹v›;", "    ‹n›.iter().map(|x| x ‹o› ‹i›).collect()",
        "use ‹n›::‹n›;",
        "impl ‹n› for ‹n› {", "match ‹n› {", "    Some(‹n›) => ‹v›,", "    _ => unreachable!(),", "}",
        "#[derive(Debug)]",
        "pub struct ‹n› { ‹n›: ‹r› }", "func ‹n›(‹n› int) error {", "if err != nil { return err }", "‹n› := ‹n›.‹n›()",
    ),
    "shell": (
        "$ ‹n› -‹n› --‹n›=‹v› ‹path›", "‹cmd› -‹l› ‹path›", "‹cmd› ‹n› --‹n›", "‹cmd› -‹l› ‹i› ‹n›.‹n› > ‹n›",
        "‹cmd› | ‹cmd› -‹l›",
        "sudo ‹cmd› ‹n›", "‹cmd› ‹n›@‹i›.‹i›.‹i›", "‹cmd› -‹l› ‹n› -‹l› ‹v› ‹url›", "# ‹cmd› ‹n›:‹i›",
 "cd ‹path› && ls -la", "sudo apt-get install ‹n›", "grep -rn ‹v› ‹path› | wc -l",
        "export ‹n›=‹v›", "for f in *.‹n›; do", "; done", "git checkout -b ‹n›", "curl -s ‹url›", "echo $‹n›; fi",
        "#!/bin/sh",
        "pip install ‹n›==‹i›.‹i›", "ssh ‹n›@‹ip›", "chmod 755 ‹path›", "docker run -p ‹i›:‹i› ‹n›:‹i›", "make -j‹i›",
        "awk '{print $‹i›}' ‹path›", "rm -rf ‹path›", "tar xzf ‹n›.tar.gz", "find . -name '*.‹n›'",
        "sed -i 's/‹n›/‹n›/g' ‹path›",
    ),
    "sql": (
        "SELECT ‹n›, ‹n› FROM ‹n› WHERE ‹n› = ‹v›;", "INSERT INTO ‹n› (‹n›, ‹n›) VALUES (‹v›, ‹v›);",
        "UPDATE ‹n› SET ‹n› = ‹v› WHERE id = ‹i›;", "SELECT COUNT(*) FROM ‹n› GROUP BY ‹n›", "DROP TABLE ‹n›;",
        "CREATE TABLE ‹n› (‹n› INT, ‹n› VARCHAR(‹i›));", "LEFT JOIN ‹n› ON ‹n›.id = ‹n›.‹n›_id", "DELETE FROM ‹n›;",
        "ORDER BY ‹n› DESC LIMIT ‹i›", "select * from ‹n› where ‹n› is not null and ‹n› ‹c› ‹v›",
        "ALTER TABLE ‹n› DROP ‹n›;",
        "select distinct ‹n›.‹n› from ‹n› inner join ‹n› using (‹n›)", "CREATE UNIQUE INDEX ‹n› ON ‹n› (‹n›);",
        "WHERE ‹n› BETWEEN ‹i› AND ‹i› OR ‹n› LIKE '%‹n›%'", "GRANT ALL ON ‹n›.* TO '‹n›'@'‹ip›';",
        "HAVING AVG(‹n›) ‹c› ‹i›",
        "EXPLAIN SELECT MIN(‹n›), SUM(‹n›.‹n›) AS ‹n› FROM ‹n›;", "begin; delete from ‹n› where ‹n› ‹c› ‹v›; commit;",
    ),
    "style": (
        ".‹n› { margin: ‹i›‹unit› ‹i›‹unit›; }", "#‹n› > ‹h› { color: ‹colour›; }", "  padding: ‹i›‹unit›;",
        "@media (max-width: ‹i›px) {", "  background: url(‹url›);", "}", "  font-size: ‹i›‹unit›;",
        "‹h›:hover{opacity:.‹i›}",
    ),
    "settings": (
        "‹n›: ‹v›", "‹n›=‹v›", "[‹n›]", "  - ‹n›: ‹v›", "‹n›.‹n› = ‹v›", "  ‹n›: [‹v›, ‹v›]", "export ‹n›=‹path›",
        "‹n› = true",
        "‹n›: \"‹hex›\"", "<<: *‹n›", "‹n›: {‹n›: ‹v›}",
    ),
    "assembler": (
        "mov ‹reg›, ‹reg›", "add ‹reg›, ‹i›", "jmp 0x‹hex›", "push ‹reg›", "call ‹n›", "  ‹hex›: ‹hex› ‹hex›",
        "xor ‹reg›, ‹reg›",
        "lea ‹reg›, [‹reg›+‹i›]", ".L‹i›:", "ret 0x‹hex›", "cmp ‹reg›, 0x‹hex›", "ldr ‹reg›, [‹reg›, #‹i›]",
    ),
    "difference": (
        "@@ -‹i›,‹i› +‹i›,‹i› @@", "--- a/‹n›.c", "+++ b/‹n›.c", "-    ‹n› = ‹v›;", "+    ‹n› = ‹v›;",
        "index ‹hex›..‹hex› 100644",
    ),
    "trace": (
        "  File \"‹path›\", line ‹i›, in ‹n›", "    at com.‹n›.‹n›.‹n›(‹n›.java:‹i›)", "    at ‹n› (‹path›:‹i›:‹i›)",
        "#‹i› 0x‹hex› in ‹n› () at ‹n›.c:‹i›", "KeyError: '‹n›'", "‹n›.c:‹i›:‹i›: error: C‹i›", "0x‹hex›",
        "‹n›!‹n›+0x‹hex›",
    ),
    "expression": (
        "^[a-z]{‹i›,‹i›}$", "(\\d+)-(\\w+)", "\\b‹n›\\b", "[^\\s@]+@[^\\s@]+", "(?:‹n›|‹n›)*?", "s/‹n›/‹n›/g",
        "%‹n›%", "${‹n›}",
        "{{ ‹n›.‹n› }}", "<%= ‹n› %>", "%0‹i›d", "\\n\\t", "‹n›++", "!‹n› && ‹n›", "‹n›[‹i›]", "‹n›()",
        "‹n› ‹o›= ‹v›", "(‹n›, ‹n›)",
    ),
}  # fmt: skip


def _program(lines: tuple[str, ...]) -> Maker:
    def make(dice: Dice) -> str:
        chosen = [dice.one(lines) for _ in range(dice.one((1, 1, 2, 3, 4, 6)))]
        return dice.fill(dice.one(("\n", "\n", " ")).join(chosen), _MAKERS)

    return make


KINDS: dict[str, Maker] = {name: _program(lines) for name, lines in _PROGRAMS.items()}
"""Makers of some lines of programs and the like, by name."""


def json_text(dice: Dice) -> str:
    """An object or a list of JSON, of up to three levels."""
    return _json(dice, dice.number(1, 3))


def _json(dice: Dice, depth: int) -> str:
    if depth == 0:
        return dice.one((
            _integer(dice), f"-{dice.number(0, 9)}.{dice.number(0, 999)}", "true", "false", "null",
            f'"{addresses.identifier(dice)}"',
            f'"{addresses.uuid(dice)}"', f'"{numbers.date(dice)}"', f'"{addresses.url(dice)}"', "[]", '""',
        ))  # fmt: skip
    space = dice.one(("", " "))
    inner = [_json(dice, dice.number(0, depth - 1)) for _ in range(dice.number(1, 4))]
    if dice.chance(0.3):
        return "[" + f",{space}".join(inner) + "]"
    return "{" + f",{space}".join(f'"{addresses.identifier(dice)}":{space}{one}' for one in inner) + "}"


def markup(dice: Dice) -> str:
    """Elements of HTML or XML, with numbers and names inside."""
    text = dice.fill(dice.one(("‹i›", "‹v›", "‹n›", "")), _MAKERS)
    for _ in range(dice.number(1, 3)):
        name = dice.fill(dice.one(("‹h›", "‹h›", "‹n›", "‹n›:‹n›")), _MAKERS)
        keys = dice.one(
            ("", "", ' class="‹n›"', ' id="‹n›-‹i›"', ' href="‹url›"', ' ‹n›="‹i›"', ' style="width:‹i›px"')
        )
        text = f"<{name}{dice.fill(keys, _MAKERS)}>{text}</{name}>"
    return dice.one(("", "", "", '<?xml version="1.0"?>', "<!DOCTYPE html>", "&nbsp;", "<br/>", "]]>")) + text


def log(dice: Dice) -> str:
    """A line of a log, without a message in words."""
    return dice.fill(
        dice.one((
            "‹date› ‹time› INFO [‹n›-‹i›] ‹n›=‹v› ‹n›=‹v›", "[‹time›] ‹n›[‹i›]: ‹n›=‹hex›", "E/‹n›(‹i›): 0x‹hex›",
            "‹ip› - - [‹date›:‹time›] \"GET /‹n›/‹i› HTTP/1.1\" 200 ‹i›", "<‹i›>‹i› ‹date›T‹time› ‹n› ‹n› ‹i› - -",
            "[ ‹i›.‹i›] ‹n› ‹hex›:‹hex›: [0x‹hex›-0x‹hex›]", "‹date› ‹time›,‹i› DEBUG ‹n›.‹n›:‹i› ‹v›", "HTTP/1.1 ‹i›",
            "‹n› ‹i› ‹i›.‹i› ‹i›.‹i› ‹i› ‹i› ? Ss ‹time› ‹path›", "-rw-r--r-- 1 ‹n› ‹n› ‹i› ‹date› ‹n›.‹n›",
            "WARN ‹n›#‹i›",
            "Content-Length: ‹i›", "POST /‹n› 40‹i›", "rtt min/avg/max = ‹i›.‹i›/‹i›.‹i›/‹i›.‹i› ms",
            "t=‹i› pid=‹i› rc=‹i›",
        )),
        _MAKERS,
    )  # fmt: skip


def comma_separated(dice: Dice) -> str:
    """Rows of the same number of fields."""
    comma, quote = dice.one((",", ",", ";", "\t", "|")), dice.one(("", "", '"'))
    makers: list[Maker] = [
        dice.one((_integer, numbers.date, addresses.identifier, addresses.hashed, numbers.number, addresses.mail))
        for _ in range(dice.number(2, 7))
    ]
    rows = [comma.join(f"{quote}{make(dice)}{quote}" for make in makers) for _ in range(dice.number(1, 4))]
    return "\n".join(rows)


def latex(dice: Dice) -> str:
    """A formula of TeX."""
    names = {
        **_MAKERS,
        "x": lambda dice: dice.one(
            ("x", "y", "n", "k", "\\alpha", "\\beta", "\\lambda", "\\mathbf{v}", "x_{i}", "\\theta")
        ),
        "g": lambda dice: dice.one(("\\sin", "\\log", "\\exp", "\\max", "f", "\\nabla", "\\mathbb{E}")),
    }
    template = dice.one((
        "\\frac{‹x›}{‹x›}", "\\sum_{i=‹i›}^{n} ‹x›^{‹i›}", "\\int_{‹i›}^{\\infty} ‹g›(‹x›)\\,dx", "\\sqrt{‹x› + ‹i›}",
        "‹x›^{‹i›} + ‹x›_{‹i›} = ‹i›", "\\begin{bmatrix} ‹i› & ‹i› \\\\ ‹i› & ‹x› \\end{bmatrix}", "‹g›(‹x›) \\leq ‹x›",
        "\\lim_{‹x› \\to ‹i›} ‹g›(‹x›)", "\\left( ‹x› \\right)^{‹i›}", "\\cite{‹n›‹i›}", "\\ref{eq:‹n›}",
        "\\usepackage{‹n›}",
        "\\hat{‹x›} = \\arg\\min_{‹x›} \\| ‹x› - ‹x› \\|_2^2", "\\partial ‹x› / \\partial ‹x›", "\\binom{‹i›}{‹x›}",
    ))  # fmt: skip
    text = dice.fill(template, names)
    return dice.one((f"${text}$", f"$${text}$$", text, f"\\[ {text} \\]"))
