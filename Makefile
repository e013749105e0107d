.PHONY: setup run test lint clean

run: setup ## the main job: an agent on every suite, and its table
	.venv/bin/bench run --agent gea --suite all --episodes 1 --tasks "not:atari/[c-z]*,not:scienceworld/[!f]*"

test: setup lint ## all tests; those of the engine under coverage, with a floor
	.venv/bin/coverage run -m pytest tests/harness tests/leaderboards
	.venv/bin/coverage report
	.venv/bin/python -m pytest --ignore=tests/harness --ignore=tests/leaderboards

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

setup: ## .venv with everything that runs here
	@.ci/setup

clean: ## what set-up and runs leave behind
	rm -rf .venv .bench runs dist .coverage .hypothesis .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
