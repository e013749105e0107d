.PHONY: setup run test test-engine test-others test-heavy lint site site-check clean

run: setup ## the main job: an agent on every suite, and its table
	.venv/bin/bench run --agent gea --suite all --episodes 1 --tasks "not:atari/[c-z]*,not:scienceworld/[!f]*,not:scienceworld/find*,not:minihack/[l-z]*,not:nethack/*,not:antmaze/*,not:aloha/*,not:maniskill-planner/*,not:maniskill/[!P]*"

# Two cores, two halves: the engine, whose coverage is measured, and the rest. What the exit codes are
# tested on are other processes, which coverage does not see.
ENGINE := tests/harness tests/leaderboards
APART := tests/harness/cli/test_exit_codes.py
OTHERS := $(filter-out $(ENGINE:%=%/) tests/__pycache__/,$(wildcard tests/*/)) $(wildcard tests/test_*.py) $(APART)

test: setup ## all checks, in two halves at once; the tests of the engine under coverage, with a floor
	$(MAKE) -j2 test-others test-engine

test-engine: lint
	.venv/bin/coverage run -m pytest $(ENGINE) $(APART:%=--deselect %)
	.venv/bin/coverage report

test-others:
	.venv/bin/python -m pytest $(OTHERS)

# What tests/adapters/test_gym_packages.py plays.
GYM_PACKAGES := highway-env gym-pusht pymunk<7 shimmy dm-control==1.0.28 mujoco==3.3.0 bsuite \
	pybullet-envs-gymnasium panda-gym gymnasium[box2d] minigrid flappy-bird-gymnasium gym-anytrading \
	mo-gymnasium crafter gym==0.26.2 numpy<2

SERVE := .bench/interpreters/transformers-serve

test-heavy: setup ## tests that need gigabytes of packages, which are installed first; CI leaves them out
	[ -x .bench/interpreters/lerobot/bin/python ] || .venv/bin/bench doctor --fix lerobot
	.bench/interpreters/lerobot/bin/python -m pip install --quiet --no-deps gym-pusht==0.1.8 pymunk==6.11.1 pygame==2.6.1 shapely==2.2.0
	[ -x .bench/interpreters/libero/bin/python ] || .venv/bin/bench doctor --fix libero
	[ -x $(SERVE)/bin/transformers ] || { .venv/bin/python -m venv --clear $(SERVE) && $(SERVE)/bin/pip install --quiet --constraint constraints.txt torch 'numpy<2' pillow 'transformers[serving]'; }
	[ -x .bench/interpreters/trackers/bin/python ] || { .venv/bin/python -m venv .bench/interpreters/trackers && \
		.bench/interpreters/trackers/bin/python -m pip install --quiet --editable '.[mlflow,wandb,trackio,page]' inspect_ai; }
	[ -x .bench/interpreters/objectstore/bin/moto_server ] || { .venv/bin/python -m venv .bench/interpreters/objectstore && \
		.bench/interpreters/objectstore/bin/python -m pip install --quiet 'moto[server,s3]' s3fs; }
	[ -x .bench/gym/.bench/interpreters/gym/bin/python ] || { mkdir -p .bench/gym && cd .bench/gym && \
		../../.venv/bin/bench doctor --fix gym $(GYM_PACKAGES:%=--with '%'); }
	.venv/bin/python -m pytest -m heavy tests

site: setup ## the board of leaderboards/entries as static pages in site/
	.venv/bin/bench leaderboard build --entries leaderboards/entries --out site

site-check: setup ## every episode of every entry is played again
	.venv/bin/bench leaderboard check --all --entries leaderboards/entries --sample all

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

setup: ## .venv with everything that runs here
	@.ci/setup

clean: ## what set-up and runs leave behind
	rm -rf .venv .bench runs dist site .coverage .hypothesis .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
