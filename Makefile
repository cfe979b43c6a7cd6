# SPDX-License-Identifier: BSD-2-Clause
# Façade over Meson: each target first installs what is missing (scripts/setup), then builds.
#
#   make            build/dwell
#   make run        the same, then dwell on a real command
#   make test       every test; the last line is `N passed, N failed`
#   make format     clang-format on every source
#   make unit lint bench install clean

BUILD = build
MESON = meson
DESTDIR ?=
prefix ?= /usr/local

all: setup-build
	@$(MAKE) --no-print-directory $(BUILD)/dwell

$(BUILD)/build.ninja:
	@$(MESON) setup $(BUILD) > /dev/null

$(BUILD)/dwell: $(BUILD)/build.ninja FORCE
	@ninja --quiet -C $(BUILD) dwell

run: all
	@ninja --quiet -C $(BUILD) tests/workloads/demo
	$(BUILD)/dwell run -- scripts/demo $(BUILD)/tests/workloads/demo

test: setup-build setup-test
	@tests/run

unit: setup-build setup-test
	@tests/run unit

lint: setup-build setup-lint
	@scripts/lint

format: setup-lint
	@git ls-files '*.c' '*.h' | xargs clang-format -i

bench: setup-build setup-bench
	@$(MAKE) --no-print-directory $(BUILD)/dwell
	@bench/run

install: all
	@$(MESON) configure $(BUILD) -Dprefix=$(prefix) && ninja --quiet -C $(BUILD) dwell
	@DESTDIR='$(DESTDIR)' $(MESON) install -C $(BUILD) --no-rebuild --quiet

clean:
	rm -rf $(BUILD) $(BUILD)-*

setup-%: FORCE
	@scripts/setup $*

FORCE:
.PHONY: all run test unit lint format bench install clean FORCE
