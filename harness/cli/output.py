"""Where words go: the artefact to stdout, everything else to stderr; and the exit codes."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys

from harness.core.text import for_terminal

__all__ = [
    "DONE", "INTERRUPTED", "OUR_FAULT", "REGRESSED", "WITH_ERRORS", "WRONG_USE", "command_line",
    "log_to_stderr", "print_out", "print_page", "say", "terminal_width",
]  # fmt: skip

DONE, REGRESSED, WRONG_USE, WITH_ERRORS, OUR_FAULT, INTERRUPTED = 0, 1, 2, 4, 5, 130
NARROWEST = 60
"""Columns for which tables are laid out at least."""


def command_line() -> str:
    """The command as it was given, for the run's record."""
    return shlex.join(["bench", *sys.argv[1:]])


def terminal_width() -> int:
    """The columns of the terminal to which the artefact goes; 80 where it goes elsewhere."""
    from harness.play.column_widths import WIDTH

    if not sys.stdout.isatty():
        return WIDTH
    return max(shutil.get_terminal_size((WIDTH, 24)).columns, NARROWEST)


def print_out(text: str) -> None:
    """Print an artefact to stdout.

    Its tables were escaped when they were laid out; nothing else may control the terminal either.
    Whoever reads it may stop reading: `bench report ... | head` is no failure.
    """
    try:
        print(for_terminal(text, sys.stdout.encoding, lines=True), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_page(page: str) -> None:
    """Write an HTML page to stdout, as it is, in UTF-8.

    Raises UserError if stdout is a terminal.
    """
    from harness.core import UserError

    if sys.stdout.isatty():
        raise UserError("a page is not for a terminal: write it to a file with > page.html")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(page.encode())
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str, *, lines: bool = False) -> None:
    """Print a message to stderr: one line, unless the caller composed `lines`."""
    print(for_terminal(text, sys.stderr.encoding, lines=lines), file=sys.stderr)


class _Said(logging.Handler):
    """Log messages hold texts of simulators too."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            say(self.format(record))
        except Exception:
            self.handleError(record)


def log_to_stderr() -> None:
    """Print the warnings of bench to stderr, as `say` does."""
    log = logging.getLogger("bench")
    if not any(isinstance(each, _Said) for each in log.handlers):
        log.addHandler(_Said(logging.WARNING))
