"""The `wldetect` command. Each subcommand is a module that adds its options and runs; this one maps errors."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from wldetect import __version__
from wldetect.cli.output import discard_stdout
from wldetect.errors import WLDetectError

__all__ = ["main"]

# Commands and their modules.
_COMMANDS = {"detect": "detect", "train": "train", "eval": "evaluate", "calibrate": "calibrate", "analyze": "analyze"}
# What a shell reports for a program that Ctrl-C ended.
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0: done. 2: the input is at fault, and one line on stderr says what. 130: Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments[0] if arguments else None).parse_args(arguments)
    try:
        status = int(options.run(options))
        # Here, where a reader that has gone is still expected.
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader (head, say) has had enough. What is still buffered has nowhere to go.
        discard_stdout()
        return 0
    except (WLDetectError, OSError) as error:
        print(f"wldetect: error: {_one_line(error)}", file=sys.stderr)
        return _INTERRUPTED if getattr(error, "interrupted", False) else 2
    except KeyboardInterrupt:
        print("wldetect: interrupted", file=sys.stderr)
        return _INTERRUPTED


def _parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of ``command`` alone, for importing the others takes longer than detecting a text; or, where it is
    none of them, of all commands."""
    parser = argparse.ArgumentParser(
        prog="wldetect",
        description="Detect the language of text, and train the models that do.",
        epilog="`wldetect COMMAND --help` explains a command, with examples.",
    )
    parser.add_argument("--version", action="version", version=f"wldetect {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in [command] if command in _COMMANDS else _COMMANDS:
        module = import_module(f"{__name__}.{_COMMANDS[name]}")
        subparser = commands.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def _one_line(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    return " ".join(text.splitlines())
