"""What precision do actions need that are spoken in tokens? See docs/probes/tokenizer.md."""
