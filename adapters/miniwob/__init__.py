"""MiniWoB++: 128 small web pages with a task each, in headless Chromium."""

from adapters.miniwob.adapter import MiniWobAdapter

__all__ = ["MiniWobAdapter"]
