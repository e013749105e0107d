"""The engine: the episode contract, the runner, the evidence and the statistics. It knows no simulator and no model."""
