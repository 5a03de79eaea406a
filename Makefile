# Two commands for a newcomer: `make demo` and `make test`. Each sets up what it needs, in .venv, from lock/.
# It takes Python 3.11 or newer with its venv module; no compiler, no root, no Docker.

VENV := .venv
IN_VENV := $(VENV)/bin/python
ARGS ?=

# Looked for only when a target uses it.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; \
	done)

.DEFAULT_GOAL := help
.PHONY: help demo doctor test check format bench evaluate campaign fuzz lock sbom audit clean

help: ## Show this list.
	@echo 'Bowei (泊位): send each arriving driver to a space that will still be there.'
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.run-ready ## Run a block of Hangzhou on this machine. Options: make demo ARGS="--for 60s --json"
	@$(IN_VENV) -m services.local demo $(ARGS)

doctor: $(VENV)/.run-ready ## Look at this machine: one line for each thing Bowei needs, one fix for each that is missing.
	@$(IN_VENV) -m services.local doctor $(ARGS)

test: $(VENV)/.dev-ready ## Run every test this machine allows, on real servers. A part: make test ARGS="tests/unit"
	@$(IN_VENV) -m pytest -n $(JOBS) --maxprocesses 4 --dist loadfile $(ARGS)

# Each process of the tests has servers of its own, and takes up to 1 GB.
JOBS ?= logical

check: $(VENV)/.dev-ready ## Check format, lint, types, the architecture's arrows, spelling and what Bowei depends on.
	@$(IN_VENV) -m ruff format --check --quiet .
	@$(IN_VENV) -m ruff check --quiet .
	@$(IN_VENV) -m mypy
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/codespell
	@$(IN_VENV) -m pytest -q -p no:cacheprovider tests/architecture/test_dependencies.py

format: $(VENV)/.dev-ready ## Put the code into the one format.
	@$(IN_VENV) -m ruff check --quiet --fix-only .
	@$(IN_VENV) -m ruff format .

bench: $(VENV)/.dev-ready ## Measure this machine, and compare designs with each other on it.
	@$(IN_VENV) -m loadtests $(ARGS)

evaluate: $(VENV)/.evaluate-ready ## Compare ways to choose a lot, and write docs/evaluation.md anew; goes on where it stopped.
	@$(VENV)/bin/bowei evaluate policies --seeds 1-10 --peers loadtests.peers.parking_policies \
		--out loadtests/results/policies.jsonl --page docs/evaluation.md --plot docs/evaluation-policies.png
	@$(VENV)/bin/bowei evaluate block --seeds 1-10 --out loadtests/results/block.jsonl \
		--page docs/evaluation.md --plot docs/evaluation-block.png

campaign: $(VENV)/.dev-ready ## Break everything on purpose and check every promise: make campaign SEED=7 FOR=90s
	@$(IN_VENV) -m tests.campaign --seed $(SEED) --for $(FOR) $(ARGS)

fuzz: $(VENV)/.fuzz-ready ## Send what nobody would, a million times: make fuzz ARGS="--inputs 200000 --out accounts.jsonl"
	@$(IN_VENV) -m tests.fuzz $(ARGS)

SEED ?= 7
FOR ?= 90s

lock: ## Choose versions anew within pyproject.toml (needs uv). Upgrade all: make lock ARGS=--upgrade
	@command -v uv >/dev/null || { echo 'make lock needs uv. Fix: pip install uv'; exit 1; }
	@$(COMPILE) $(ARGS) -o lock/run.txt
	@$(COMPILE) $(ARGS) --extra feeds --extra signs --extra parquet --extra dev -c lock/run.txt -o lock/dev.txt
	@$(COMPILE) $(ARGS) --extra feeds --extra signs --extra parquet --extra dev --extra fuzz -c lock/dev.txt -o lock/fuzz.txt
	@$(COMPILE) $(ARGS) --extra feeds --extra signs --extra parquet --extra dev --extra evaluate -c lock/dev.txt -o lock/evaluate.txt

sbom: $(VENV)/.dev-ready ## Write what Bowei consists of, as CycloneDX, to bowei-sbom.json.
	@PYTHONWARNINGS=ignore $(SBOM) --output-file bowei-sbom.json
	@echo 'bowei-sbom.json'

SBOM := $(VENV)/bin/cyclonedx-py requirements lock/run.txt --pyproject pyproject.toml --mc-type application --output-reproducible

audit: ## Look up known weaknesses of what lock/run.txt pins (needs pip-audit and the network).
	@command -v pip-audit >/dev/null || { echo 'make audit needs pip-audit. Fix: pip install pip-audit'; exit 1; }
	@pip-audit --requirement lock/run.txt --require-hashes --disable-pip --strict

COMPILE := uv pip compile --quiet pyproject.toml --extra local --extra checkout --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-header --custom-compile-command 'make lock'

clean: ## Remove the environment, the caches and the demo's data.
	@rm -rf $(VENV) bowei-data .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. A stamp is as new as the lock file it was made from.

$(VENV)/.run-ready: lock/run.txt pyproject.toml | $(IN_VENV)
	$(call install,lock/run.txt)
	@touch $@

$(VENV)/.dev-ready: lock/dev.txt pyproject.toml | $(IN_VENV)
	$(call install,lock/dev.txt)
	@touch $(VENV)/.run-ready $@

$(VENV)/.fuzz-ready: lock/fuzz.txt pyproject.toml | $(IN_VENV)
	$(call install,lock/fuzz.txt)
	@touch $(VENV)/.run-ready $(VENV)/.dev-ready $@

$(VENV)/.evaluate-ready: lock/evaluate.txt pyproject.toml | $(IN_VENV)
	$(call install,lock/evaluate.txt)
	@touch $(VENV)/.run-ready $(VENV)/.dev-ready $@

$(IN_VENV):
	@test -n '$(PYTHON)' || { echo 'No Python 3.11 or newer was found.' \
		'Fix: install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python).' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo '$(PYTHON) lacks its venv module.' \
		'Fix: install it (Debian, Ubuntu: apt install python3-venv).' >&2; exit 1; }
	@echo '· making an environment in $(VENV) with $(PYTHON)'
	@$(PYTHON) -m venv --clear $(VENV)

PIP := $(IN_VENV) -m pip --disable-pip-version-check --no-input -qq --log $(VENV)/pip.log

# Install what a lock file pins and nothing else, then this checkout itself. Only wheels: no compiler is needed. Every
# few seconds it says how far it is.
define install
	@echo "· installing $$(grep -c '==' $(1)) packages from $(1), each checked against its hash"
	@: >$(VENV)/pip.log; \
	( while sleep 5; do if grep -q ' Installing collected' $(VENV)/pip.log; then echo '  unpacking ...'; \
		else echo "  $$(grep -c ' Collecting ' $(VENV)/pip.log) fetched ..."; fi; done ) & progress=$$!; \
	trap 'kill $$progress 2>/dev/null' EXIT; \
	$(PIP) install --progress-bar off --no-deps --require-hashes --only-binary :all: -r $(1) \
	&& $(PIP) install --no-deps --no-build-isolation --editable . \
	&& rm $(VENV)/pip.log \
	|| { echo 'The packages could not be installed. Fix: see $(VENV)/pip.log; with the network back, repeat.' >&2; exit 1; }
endef
