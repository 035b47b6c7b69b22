# The two commands: `make demo` shows the main job on real servers, `make test` proves it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCKS  := requirements.lock requirements-build.lock requirements-dev.lock
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: venv stack node node-needs lint format test test-all crash bench demo crds manifest lock version bump notes clean

venv: $(VENV)/installed
$(VENV)/installed: $(LOCKS) pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --require-hashes $(LOCKS:%=-r %)
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy operator stack demo bench tests
	$(BIN)/lint-imports
	$(BIN)/deptry .

format: venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What every change must pass, on the real servers too. They are built first, once, with progress. Tests mostly
# wait, so several processes share them: four without servers, then two with servers of their own.
test: lint
	$(BIN)/python -m stack --build-only
	$(BIN)/pytest -n 4 -m "not live and not exhaustive"
	$(BIN)/pytest -n 2 -m "live and not exhaustive"

# The same, and with it the tests that go through all of many like cases: half an hour.
test-all: lint
	$(BIN)/python -m stack --build-only
	$(BIN)/pytest -n 4 -m "not live"
	$(BIN)/pytest -n 2 -m live

# The image and the chart on a node that runs pods. It needs root and some of Debian's packages: what is missing
# is named first, and `make node-needs` installs it. Its own address is on the loopback device meanwhile.
node: venv
	$(BIN)/python -m stack --node --build-only
	$(BIN)/pytest $(MORE) tests/node

node-needs:
	apt-get update --quiet --quiet
	apt-get install --quiet --quiet --yes --no-install-recommends containerd runc containernetworking-plugins buildah \
		debootstrap debian-archive-keyring iproute2 nftables catatonit

# Every call with an effect, spoiled in every way: `make crash`, `make crash WORKLOADS=create,swap`. A plan
# that fails is saved in crash-plans/; `make crash PLAN=crash-plans/0001-create.json` runs it again.
# `make crash MORE=--bugs` runs the operator with bugs in it, `make crash MORE="--live 400"` so many plans on
# the real servers; with `MORE="--random 100"` it is killed at random moments, and with `--live 1` on real ones.
JOBS ?= 2
crash: venv
	PYTHONPATH=tests:. $(BIN)/python -m support.faults --jobs $(JOBS) $(if $(WORKLOADS),--workloads $(WORKLOADS)) $(MORE) $(PLAN)

# The operator beside a raw driver on one server: a table and bench-results/latest.json. `make bench
# MORE="--sets 500 --repeats 1"`, `make bench MORE="--opensearch fake --sets 1000 3000 --repeats 1"`.
bench: venv
	PYTHONPATH=tests:. $(BIN)/python -m bench $(MORE)

# The servers alone, until Ctrl-C.
stack: venv
	$(BIN)/python -m stack

OPENSEARCH ?= 3.6.0
demo: venv
	$(BIN)/python -m demo --opensearch $(OPENSEARCH)

# Versions move only here, by hand: `make lock UPGRADE=--upgrade`. The build backend has a lock of its
# own because the image builds the wheel without the development tools.
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet $(UPGRADE) --generate-hashes --allow-unsafe \
	--strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-options
DEV_GROUP := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")

lock: venv
	$(COMPILE) --extra aws --output-file requirements.lock pyproject.toml
	$(COMPILE) --all-build-deps --only-build-deps --output-file requirements-build.lock pyproject.toml
	$(BIN)/python -c '$(DEV_GROUP)' | $(COMPILE) --constraint requirements.lock --constraint requirements-build.lock \
		--output-file requirements-dev.lock -

# The chart has a copy of its own because Helm packs only what lies in its folder.
crds: venv
	$(BIN)/python -m opensearch_ml_operator.crdgen crds deploy/chart/crds-src --reference docs/reference/kinds.md

# For those without Helm: the chart with its default values, and no word of Helm's in the labels.
HELM ?= helm
manifest:
	@command -v "$(HELM)" > /dev/null || { echo "HELM=PATH must name Helm" >&2; exit 1; }
	$(HELM) template opensearch-ml-operator deploy/chart --namespace opensearch-ml --set crds.install=false \
		| sed -e '/app.kubernetes.io\/managed-by: /d' -e '/helm.sh\/chart: /d' > deploy/install.yaml

# The version is in one place; `make bump NEW=0.2.0` changes it there and wherever it is repeated.
VERSION   = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' operator/opensearch_ml_operator/__init__.py)
VERSIONED := operator/opensearch_ml_operator/__init__.py deploy/chart/Chart.yaml deploy/install.yaml docs/install.md \
	examples/gitops/argocd/operator.yaml examples/gitops/flux/operator.yaml
bump:
	sed -i 's/\b\(v\?\)$(subst .,\.,$(VERSION))\b/\1$(NEW)/g' $(VERSIONED)

# For a release: the tag must be the version, and the changelog must tell of it.
version:
	@test "$(TAG)" = "v$(VERSION)" || { echo "the tag is $(TAG), the version $(VERSION)" >&2; exit 1; }
	@$(MAKE) --silent notes | grep -q . || { echo "CHANGELOG.md has no section for $(VERSION)" >&2; exit 1; }
notes:
	@awk '/^## \[/ { on = index($$0, "## [$(VERSION)]") == 1; next } on' CHANGELOG.md

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
