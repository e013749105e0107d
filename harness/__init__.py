"""The engine: it plays agents on tasks and keeps evidence. docs/architecture.md shows its rooms."""
