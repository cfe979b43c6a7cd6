# SPDX-License-Identifier: BSD-2-Clause
# Façade: every target first installs what is missing (scripts/setup), then builds.

BUILD = build
MESON = meson

all: $(BUILD)/sources.list
	@ninja -C $(BUILD) -k 0

# Until the file lists in meson.build are explicit: configure again when a file comes or goes.
$(BUILD)/sources.list: FORCE
	@mkdir -p $(BUILD)
	@(scripts/sources; ls meson.build bpf/*.bpf.c probes/*/*.bpf.c probes/*/gen-* tests/unit/*.c) >$@.new 2>/dev/null || :
	@cmp -s $@ $@.new && [ -f $(BUILD)/build.ninja ] || { \
		if [ -f $(BUILD)/build.ninja ]; then $(MESON) setup --reconfigure $(BUILD); \
		else $(MESON) setup $(BUILD); fi && mv $@.new $@; }
	@rm -f $@.new

clean:
	rm -rf $(BUILD)

FORCE:
.PHONY: all clean FORCE
