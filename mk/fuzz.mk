# SPDX-License-Identifier: GPL-2.0-only
# libFuzzer targets, one a parser of what comes from outside: userspace/*/NAME_fuzz.cc, with its
# corpus in tests/fuzz/corpus/NAME. `make test` replays the corpora; `make fuzz` goes on from them.

FUZZ_CXX     ?= clang++-19
FUZZ         := $(BUILD)/fuzz
FUZZ_TARGETS := $(patsubst %_fuzz.cc,%,$(notdir $(wildcard userspace/*/*_fuzz.cc)))
# Only what the targets need: all of it, with sanitizers, takes minutes to compile.
FUZZ_SOURCES := $(filter-out %_test.cc %_fuzz.cc %_bench.cc,$(wildcard \
  $(addprefix userspace/,base/*.cc schema/*.cc capture/*.cc collect/clocks.cc collect/user_ring.cc \
  collect/elf_symbols.cc collect/comm_glob.cc)))
FUZZ_OBJECTS := $(FUZZ_SOURCES:%.cc=$(FUZZ)/%.o)
FUZZ_FLAGS   := -std=c++23 -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined \
  -fno-sanitize-recover=undefined
SECONDS_EACH := $(or $(SECONDS),60)

$(FUZZ)/%.o: %.cc
	$(call say,FUZZ,$<)
	$(Q)mkdir -p $(@D) && $(FUZZ_CXX) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link $(INCLUDES) -MMD -MP -c -o $@ $<

define fuzz_target
$(FUZZ)/$(1): $(FUZZ)/$(patsubst %.cc,%.o,$(wildcard userspace/*/$(1)_fuzz.cc)) $(FUZZ_OBJECTS)
	$$(call say,LINK,$$@)
	$$(Q)$$(FUZZ_CXX) $$(FUZZ_FLAGS) -fsanitize=fuzzer -o $$@ $$^ -lfmt -lelf -lzstd -lz
endef
$(foreach target,$(FUZZ_TARGETS),$(eval $(call fuzz_target,$(target))))

-include $(FUZZ_OBJECTS:.o=.d) $(patsubst %.cc,$(FUZZ)/%.d,$(wildcard userspace/*/*_fuzz.cc))

.PHONY: fuzz-ready
fuzz-ready: $(FUZZ_TARGETS:%=$(FUZZ)/%)

.PHONY: fuzz
fuzz: fuzz-ready
	@tests/fuzz/run $(SECONDS_EACH)
