# SPDX-License-Identifier: GPL-2.0-only
# What schedscope costs, beside its peers: build/bench/results.json

.PHONY: bench
bench: deps
	@mk/deps $(PACKAGES_BENCH)
	@$(MAKE) --no-print-directory $(PARALLEL) bench-ready
	@tests/bench/run $(BENCH)

.PHONY: bench-ready
bench-ready: $(BUILD)/schedscope $(BUILD)/empty-probe $(BUILD)/uthread-bench $(BUILD)/timeline-bench \
  $(BUILD)/reader-bench $(BUILD)/timeslice-bench $(BUILD)/crowd $(KERNEL:%=vm-module-%)

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
