"""What OpenGL says of the renderer of its current context."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable

__all__ = ["current_renderer", "renderer_strings"]

VENDOR, RENDERER, VERSION = 0x1F00, 0x1F01, 0x1F02
LIBRARIES = ("OpenGL", "GL", "GLESv2")
"""Each of them asks the driver whose context is current in this thread."""


def renderer_strings(get_string: Callable[[int], bytes | None]) -> str:
    """Vendor, renderer and version, as in `Mesa, llvmpipe (LLVM 15.0.6, 256 bits), 4.5 Mesa 25.0`.

    `get_string` is glGetString. Empty where no context is current.
    """
    said = [get_string(name) for name in (VENDOR, RENDERER, VERSION)]
    return ", ".join(each.decode(errors="replace") for each in said if each)


def current_renderer() -> str:
    """The same, for a simulator that made its context by itself and tells nothing of it."""
    for name in LIBRARIES:
        path = ctypes.util.find_library(name)
        if path is None:
            continue
        get_string = ctypes.CDLL(path).glGetString
        get_string.restype, get_string.argtypes = ctypes.c_char_p, [ctypes.c_uint]
        found = renderer_strings(get_string)
        if found:
            return found
    return ""
