"""The commands. The only room that knows suites, adapters, baselines and leaderboards."""
