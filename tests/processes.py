"""Processes that may end while a test looks at them."""

from __future__ import annotations

import psutil


def command_of(process: psutil.Process) -> list[str]:
    """The command line of a process; empty if it has ended, waited for by its parent or not."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # ZombieProcess is one of these
        return []


def listens_at(process: psutil.Process) -> set[str]:
    """The addresses at which a process listens; none if it has ended."""
    try:
        connections = process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return set()
    return {each.laddr.ip for each in connections if each.status == "LISTEN"}


def children_with(text: str) -> list[psutil.Process]:
    """The living processes below this one whose command line has this text in a word."""
    family = psutil.Process().children(recursive=True)
    return [child for child in family if any(text in word for word in command_of(child))]
