# make setup · lab · class · test · test-long · check · notebooks · results      (TORCH=cuda for the default build of torch)
PYTHON ?= python3
TORCH ?= auto
PORT ?= 8888
OPTS ?=
VENV = .venv/bin/python
NBVAL = --nbval --nbval-current-env --nbval-cell-timeout=300 --nbval-sanitize-with tests/sanitize.cfg

.PHONY: setup lab class test test-long check notebooks results

setup:            ## create .venv and install; does nothing when nothing changed
	@$(PYTHON) tools/setup.py --torch $(TORCH)

lab: setup        ## study: your own copies in my/, in JupyterLab
	@$(VENV) tools/study.py --port $(PORT) $(OPTS)

class: setup      ## teach: copies with the teacher's cells in class/, in JupyterLab
	@$(VENV) tools/study.py --class --port $(PORT) $(OPTS)

test: setup       ## everything, two at a time, one torch thread each
	OMP_NUM_THREADS=1 $(VENV) -m pytest $(NBVAL) -n 2 --dist loadfile notebooks tests

test-long: setup  ## the same, and thousands of random networks, the networks of others, and helpers broken on purpose
	-@$(VENV) -m pip install --disable-pip-version-check -qq -c constraints.txt -e ".[others]"
	LONG_TESTS=1 OMP_NUM_THREADS=1 $(VENV) -m pytest $(NBVAL) -n 2 --dist loadfile notebooks tests

check: setup      ## style and documents alone, in seconds
	@$(VENV) -m ruff check .
	@$(VENV) -m ruff format --check .
	@$(VENV) -m pytest -q tests/test_documents.py

notebooks: setup  ## execute the notebooks that changed, and save them in canonical form
	@$(VENV) tools/notebooks.py

results: setup    ## train what data/results/ lacks, five seeds each (half an hour for all); NAME=unet for one
	@OMP_NUM_THREADS=1 $(VENV) tools/results.py $(NAME)
