# make demo   the whole path on an embedded world: map, cache, node, flight over DDS, report
# make test   every test
# make lint types   what .ci/run checks besides
#
# Everything is installed into .venv. ROS comes from the shell where one is sourced, else from pip where wheels exist
# (Linux on x86_64), else not at all: then the demo flies through the library alone and tests of the node are skipped.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
INSTALLED_BY := setup.cfg setup.py pyproject.toml Makefile $(wildcard constraints/*.txt)

ifneq ($(and $(ROS_DISTRO),$(AMENT_PREFIX_PATH)),)
ROS := apt
VENV_OPTIONS := --system-site-packages
CONSTRAINTS := -c constraints/apt-ros.txt
else ifeq ($(shell uname -sm),Linux x86_64)
ROS := pip
CONSTRAINTS := -c constraints/python.txt -c constraints/ros-jazzy.txt
else
ROS := none
CONSTRAINTS := -c constraints/python.txt
endif

.PHONY: demo test lint types clean
.DELETE_ON_ERROR:

demo: $(VENV)/.fly $(VENV)/.ros
	$(BIN)/mift demo

test: $(VENV)/.dev $(VENV)/.ros
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build demo

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
	  || { echo "Python 3.10 to 3.13 is needed: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV_OPTIONS) $(VENV) \
	  || { echo "python3 -m venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# What flies, and what looks at a flight. No torch.
$(VENV)/.fly: $(INSTALLED_BY) | $(BIN)/python
	$(PIP) $(CONSTRAINTS) --editable '.[cpu,eval]'
	touch $@

$(VENV)/.dev: $(VENV)/.fly
	$(PIP) $(CONSTRAINTS) --editable '.[cpu,eval,train,export,dev]'
	touch $@

$(VENV)/.ros: $(VENV)/.fly $(wildcard bindings/geographic_msgs/*.* bindings/geographic_msgs/msg/*)
ifeq ($(ROS),pip)
	$(PIP) $(CONSTRAINTS) --editable '.[ros]'
	$(BIN)/python -c 'import geographic_msgs.msg' 2>/dev/null || $(PIP) ./bindings/geographic_msgs \
	  || echo "geographic_msgs was not built (it needs gcc, g++ and Python's headers): going on without ROS" >&2
endif
	touch $@
