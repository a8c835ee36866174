# Everything a person or CI does with this repository. `make help` lists it.
PY := .venv/bin/python
# Tests of a file stay together: they share networks that take seconds to make, and gain nothing from threads. Files keep
# their order: those with windows of their own take long, and come first.
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest --basetemp=build/pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Caches and settings of the programs stay in the checkout.
BOX := XDG_CACHE_HOME=$(CURDIR)/build/cache XDG_CONFIG_HOME=$(CURDIR)/build/config XDG_DATA_HOME=$(CURDIR)/build/data

.PHONY: help setup setup-dev demo test test-slow lint types check screenshots demo-model demo-cases study-demo study-nih study-elastic study-explanations study-shortcut study-border bench-ui bench-ui-training bench-deletion bench-score-cam bench-methods bench-annotations clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 20

setup: ## install what the programs need
	@tools/system-packages.sh window
	@tools/setup.sh run

setup-dev: ## install what tests and linters need
	@tools/system-packages.sh test
	@tools/setup.sh dev

demo: setup ## open the viewer on the demo cases (without a display: build/demo.png)
	@mkdir -p build
	@if [ -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ] || [ "$$(uname -s)" != Linux ]; then \
		$(BOX) $(PY) -m softcam_viewer --demo; \
	else \
		echo "No display: rendering the window offscreen"; \
		$(BOX) QT_QPA_PLATFORM=offscreen $(PY) -m softcam_viewer --demo --screenshot build/demo.png; \
	fi

test: setup-dev ## run the tests
	@mkdir -p build
	$(BOX) $(PYTEST)

test-slow: setup-dev ## run the tests that take minutes
	@mkdir -p build
	$(BOX) $(PYTEST) -m slow

lint: setup-dev ## check style and import contracts
	$(PY) -m ruff check .
	$(PY) -m ruff format --check softcam_core softcam_viewer tests benchmarks tools
	.venv/bin/lint-imports

types: setup-dev ## check types
	$(PY) -m mypy

check: lint types test ## all that CI checks

screenshots: setup ## remake the pictures in docs/, and with test data those in build/screenshots
	$(BOX) QT_QPA_PLATFORM=offscreen $(PY) tools/screenshots.py

demo-cases: setup ## remake resources/demo/cases
	$(BOX) $(PY) tools/demo_cases.py

demo-model: setup ## train resources/demo/model.safetensors from phantoms
	$(BOX) $(PY) tools/demo_model.py

study-demo: setup ## measure the demo model on unseen phantoms
	$(BOX) $(PY) benchmarks/study_demo.py

study-nih: setup ## train on real radiographs and measure (needs test data)
	$(BOX) $(PY) benchmarks/study_nih.py

study-elastic: setup ## compare dense, lasso, ridge and elastic SoftCAMs with Grad-CAM (needs test data)
	$(BOX) $(PY) benchmarks/study_elastic.py

study-explanations: setup ## judge evidence and other methods on radiographs and phantoms (needs test data)
	$(BOX) $(PY) benchmarks/study_explanations.py

study-shortcut: setup ## plant a shortcut, flag it, train it away (25 minutes)
	$(BOX) QT_QPA_PLATFORM=offscreen $(PY) benchmarks/study_shortcut.py

study-border: setup ## the same with the border of real radiographs (needs test data)
	$(BOX) QT_QPA_PLATFORM=offscreen $(PY) benchmarks/study_border.py

bench-ui: setup ## measure the window's speed
	$(BOX) QT_QPA_PLATFORM=offscreen $(PY) benchmarks/bench_ui.py

bench-ui-training: setup ## measure the window's speed while a job trains
	$(BOX) QT_QPA_PLATFORM=offscreen $(PY) benchmarks/bench_ui_training.py

bench-deletion: setup-dev ## measure deletion over 100 phantoms, beside Quantus' pixel flipping
	$(BOX) $(PY) benchmarks/bench_deletion.py

bench-score-cam: setup-dev ## time Score-CAM beside torch-cam, and tell what fewer channels lose
	$(BOX) $(PY) benchmarks/bench_score_cam.py

bench-methods: setup-dev ## time methods against a forward pass, beside other libraries
	$(BOX) $(PY) -m softcam_core bench methods --rivals

bench-annotations: setup ## measure a store of 100,000 annotations
	$(BOX) $(PY) benchmarks/bench_annotations.py

clean: ## remove what was built
	rm -rf build dist .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
