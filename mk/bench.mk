# SPDX-License-Identifier: GPL-2.0-only
# What schedscope costs, beside its peers: build/bench/results.json

.PHONY: bench
bench: deps
	@mk/deps $(PACKAGES_BENCH)
	@$(MAKE) --no-print-directory $(PARALLEL) bench-ready
	@tests/bench/run $(BENCH)

.PHONY: bench-ready
bench-ready: $(BUILD)/schedscope $(BUILD)/empty-probe $(BUILD)/uthread-bench $(BUILD)/timeline-bench \
  $(BUILD)/reader-bench $(BUILD)/timeslice-bench $(BUILD)/ledger-bench $(BUILD)/crowd $(KERNEL:%=vm-module-%)

$(BUILD)/tests/bench/empty_probe.o: $(BUILD)/tests/bench/empty.skel.h

$(BUILD)/empty-probe: $(BUILD)/tests/bench/empty_probe.o
	$(link)

$(BUILD)/crowd: $(BUILD)/tests/bench/crowd.o $(OBJECTS)
	$(link)

$(BUILD)/uthread-bench: $(BUILD)/tests/bench/uthread_bench.o $(OBJECTS)
	$(link) -lbenchmark

$(BUILD)/timeline-bench: $(BUILD)/userspace/timeline/timeline_bench.o $(OBJECTS)
	$(link) -lbenchmark

$(BUILD)/reader-bench: $(BUILD)/userspace/capture/reader_bench.o $(OBJECTS)
	$(link) -lbenchmark

# It compiles the example of Documentation.
$(BUILD)/tests/bench/timeslice_bench.o: INCLUDES += -I.

$(BUILD)/timeslice-bench: $(BUILD)/tests/bench/timeslice_bench.o $(OBJECTS)
	$(link)

# The module's own sources, in user space: in place of the kernel's headers that they name there are empty ones, and
# kernel.h has what they take.
LEDGER_SOURCES := module/ledger.c module/account_pool.c module/account_pool.h module/slice_end.c module/nominal_slice.h
EMPTY_HEADERS  := $(BUILD)/tests/bench/empty

$(BUILD)/ledger-bench: tests/bench/ledger_bench.c tests/bench/kernel/kernel.h $(LEDGER_SOURCES) \
  $(wildcard module/*.h) module/uapi/schedscope.h
	@echo "  CC      $@"
	$(Q)sed -n 's|^#include <\(linux/.*\)>|$(EMPTY_HEADERS)/\1|p' $(LEDGER_SOURCES) | grep -v linux/types.h | sort -u | \
	  while read -r header; do mkdir -p "$${header%/*}"; : >"$$header"; done
	$(Q)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Wno-unused-parameter -Wno-unused-function -Wno-sign-compare -Itests/bench/kernel -Imodule \
	  -I$(EMPTY_HEADERS) -o $@ $<

-include $(wildcard $(BUILD)/tests/bench/*.d $(BUILD)/userspace/*/*_bench.d)
