.DEFAULT_GOAL := help
PYTHON_IN := .venv/bin/python

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1\t\2/' | expand -t 14

.PHONY: demo
demo: ## Built-in data all the way to a report: ends by naming the page to open
	@scripts/install build
	@.venv/bin/alsolike demo

.PHONY: test
test: ## Every check; ends with "ran N, skipped M because ..."
	@scripts/install test
	@$(PYTHON_IN) scripts/check.py

.PHONY: lint
lint: ## Only the checks that run no test
	@scripts/install lint
	@$(PYTHON_IN) scripts/check.py --lint

.PHONY: bench
bench: ## Every benchmark, one after the other, beside peers where they install
	@scripts/install bench
	@set -e; for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(PYTHON_IN) "$$file"; done

.PHONY: docs
docs: ## The documentation as pages in site/, the reference made from the docstrings
	@scripts/install docs
	@$(PYTHON_IN) scripts/docs.py

.PHONY: lock
lock: ## Remake the pins in requirements/ from pyproject.toml
	@scripts/lock

.PHONY: clean
clean: ## Remove what the other goals made, but not .venv and not runs/
	@rm -rf build dist site demo runs/demo .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
