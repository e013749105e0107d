"""MiniWoB++: 128 small web pages in headless Chromium, each with a task."""

from adapters.miniwob.adapter import MiniWobAdapter

__all__ = ["MiniWobAdapter"]
