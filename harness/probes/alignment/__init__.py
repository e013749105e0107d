"""Does an agent order sentences as language models do? See docs/probes/alignment.md."""
