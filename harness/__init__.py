"""The engine: it plays agents on tasks and keeps evidence. See docs/architecture.md for its rooms."""
