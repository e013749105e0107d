"""`package.module:Name` -> the object. The only place where a name from a user becomes code.

Most of this file makes errors useful: they tell a misspelt name from a module that fails to import,
and say which part of the name is wrong and what exists in its place.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from typing import Any

from harness.core import UserError
from harness.core.errors import suggest

__all__ = ["load"]


def load(entry: str) -> Any:
    """The object that `package.module:Name` names. Its module is imported from `sys.path`.

    Raises UserError with the remedy when the entry is malformed, when the module or the name does
    not exist, or when importing the module fails.
    """
    module_name, colon, name = entry.partition(":")
    parts = module_name.split(".")
    if not colon or not all(part.isidentifier() for part in [*parts, *name.split(".")]):
        raise UserError(
            f"{entry!r} names nothing: write package.module:Name, for example "
            "adapters.minigrid:MiniGridAdapter"
        )
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # Either the named module does not exist, or one that it imports.
        if error.name is not None and (
            module_name == error.name or module_name.startswith(error.name + ".")
        ):
            raise UserError(f"{entry}: {_no_module(parts)}") from None
        raise UserError(
            f"{entry}: the module {module_name} needs {error.name}, which is not installed; "
            f"{_cause(error)}"
        ) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UserError(f"{entry}: importing {module_name} failed: {_cause(error)}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            public = [other for other in dir(found) if not other.startswith("_")]
            raise UserError(f"{entry}: {module_name} has no {part!r}{_did_you_mean(part, public)}")
        found = getattr(found, part)
    return found


def _no_module(parts: list[str]) -> str:
    """The first part of a dotted module name that does not exist, and names like it there."""
    for depth in range(len(parts)):
        parent = ".".join(parts[:depth])
        siblings = pkgutil.iter_modules(
            importlib.import_module(parent).__path__ if parent else None
        )
        names = [module.name for module in siblings]
        if (
            parts[depth] not in names
            and importlib.util.find_spec(".".join(parts[: depth + 1])) is not None
        ):
            continue  # a folder without __init__.py, which pkgutil does not list
        if parts[depth] not in names:
            where = (
                f"in {parent}"
                if parent
                else "on the module search path; run from its folder, or install it"
            )
            return (
                f"there is no module {parts[depth]!r} {where}{_did_you_mean(parts[depth], names)}"
            )
        spec = importlib.util.find_spec(".".join(parts[: depth + 1]))
        if spec is None or spec.submodule_search_locations is None:
            module = ".".join(parts[: depth + 1])
            return f"{module} is a module, not a package: there is nothing inside it to import"
    return f"there is no module {'.'.join(parts)}"


def _did_you_mean(word: str, names: list[str]) -> str:
    guess = suggest(word, names)
    return f"; {guess}" if guess else ""


def _cause(error: BaseException) -> str:
    """The first error of a chain, in one line, with the place in the user's code that raised it.

    An error that was raised while another one was handled shows that other one, which is the cause.
    """
    while (
        deeper := error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    ) is not None:
        error = deeper
    where = ""
    frame = error.__traceback__
    # The innermost frame that is not part of Python's own import machinery.
    while frame is not None:
        if not frame.tb_frame.f_code.co_filename.startswith("<frozen "):
            where = f" ({frame.tb_frame.f_code.co_filename}:{frame.tb_lineno})"
        frame = frame.tb_next
    if isinstance(error, SyntaxError):
        # Its frames are those of the importer; it says itself where the mistake is.
        return f"{type(error).__name__}: {error.msg} ({error.filename}:{error.lineno})"
    return f"{type(error).__name__}: {error}{where}"
