"""The code that decides a user's results: the versions of packages, and the files of modules.

A local module stands for itself and for the local modules that it imports. They are found by
reading the files, so that nothing is executed, and a module that is imported later counts as well.
Runs on Python 3.9: an adapter in another interpreter is asked there.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.machinery
import importlib.metadata
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Optional

__all__ = ["code_versions", "local_files"]

OURS = ("harness", "adapters", "suites", "baselines", "leaderboards", "bench")
MOST_FILES = 1000
"""Of one module and those that it imports."""


def code_versions(modules: Iterable[str]) -> dict[str, str]:
    """What the results depend on that these modules define.

    Of a module of an installed distribution: its name and version. Of a local one: the path of
    each file from the folder that it is imported from, and a hash of its content. Our own modules
    and Python's have no entry: tasks of ours have a version of their own.
    """
    found: dict[str, str] = {}
    for module in modules:
        top = module.partition(".")[0]
        if top in OURS or _is_pythons(top):
            continue
        file = _file_of(module)
        if file is not None and _is_local(file):
            for name, path in local_files(module).items():
                found[name] = hashlib.blake2b(path.read_bytes(), digest_size=6).hexdigest()
            continue
        for distribution in _distributions().get(top, ()):
            found[distribution] = importlib.metadata.version(distribution)
    return found


def local_files(module: str) -> dict[str, Path]:
    """Name -> file of a local module and of the local modules that it imports, in order of names.

    Empty if the module is not local: of an installed package, or without a file.
    """
    found: dict[str, Path] = {}
    waiting = [module]
    seen: set[str] = set()
    while waiting and len(found) < MOST_FILES:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        parts = name.split(".")
        if parts[0] in OURS:
            continue
        # A package is imported before what is inside it.
        waiting += [".".join(parts[:depth]) for depth in range(1, len(parts))]
        file = _file_of(name)
        if file is None or not _is_local(file):
            continue
        found[_shown(name, file)] = file
        waiting += _imports(name, file)
    return dict(sorted(found.items()))


def _shown(module: str, file: Path) -> str:
    """The file's path from where it is imported: it is the same on another machine."""
    depth = module.count(".") + (file.name == "__init__.py")
    return Path(*file.parts[-1 - depth :]).as_posix()


def _imports(module: str, file: Path) -> tuple[str, ...]:
    """What a file may import, anywhere in it; not all of these names are those of modules."""
    try:
        content = file.read_bytes()
    except OSError:
        return ()
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    return _imported(content, tuple(package))


@functools.lru_cache(maxsize=2 * MOST_FILES)
def _imported(content: bytes, package: tuple[str, ...]) -> tuple[str, ...]:
    """What a file with this content imports, in this package. Kept: runs ask of the same files."""
    try:
        return tuple(_names_in(ast.parse(content), package))
    except (SyntaxError, ValueError):
        return ()


def _names_in(tree: ast.Module, package: Sequence[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *(node.module.split(".") if node.module else [])])
            if start:
                yield start
            for alias in node.names:
                yield ".".join(filter(None, [start, alias.name]))


def _file_of(module: str) -> Optional[Path]:  # noqa: UP045 - Python 3.9
    """The Python file of a module; None for what is no module, or has none. Executes nothing."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        spec = _spec_of(module)
        file = spec.origin if spec is not None and spec.has_location else None
    return Path(os.path.realpath(file)) if file is not None and file.endswith(".py") else None


def _spec_of(module: str) -> Optional[ModuleSpec]:  # noqa: UP045
    """Where Python would import a module from. Not even its packages are imported for that."""
    package = module.rpartition(".")[0]
    path = None
    if package:
        above = getattr(sys.modules.get(package), "__spec__", None) or _spec_of(package)
        if above is None or above.submodule_search_locations is None:
            return None
        path = list(above.submodule_search_locations)
    try:
        return importlib.machinery.PathFinder.find_spec(module, path)
    except (ImportError, ValueError):
        return None


def _is_pythons(top: str) -> bool:
    """Whether a top-level module is one of Python itself."""
    if top in sys.builtin_module_names:
        return True
    file = _file_of(top)
    return file is not None and not _is_of_a_package(file) and not _is_local(file)


def _is_of_a_package(file: Path) -> bool:
    return bool({"site-packages", "dist-packages"} & set(file.parts))


def _is_local(file: Path) -> bool:
    return not _is_of_a_package(file) and not any(folder in file.parents for folder in _installed())


@functools.cache
def _installed() -> tuple[Path, ...]:
    """The folders of Python itself."""
    kinds = ("stdlib", "platstdlib")
    return tuple({Path(os.path.realpath(sysconfig.get_paths()[kind])) for kind in kinds})


@functools.cache
def _distributions() -> Mapping[str, Sequence[str]]:
    """Top-level module -> the distributions that have it."""
    found: dict[str, list[str]] = {}
    for each in importlib.metadata.distributions():
        name = each.metadata["Name"]
        tops = (each.read_text("top_level.txt") or "").split()
        tops = tops or [path.parts[0].partition(".py")[0] for path in each.files or ()]
        for top in set(tops):
            if name and name not in found.setdefault(top, []):
                found[top].append(name)
    return found
