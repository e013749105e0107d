"""Is a run what it says? Integrity of its files, replay, invariance, and a look at one episode."""
