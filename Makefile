# SPDX-License-Identifier: GPL-2.0-only
# schedscope: the one entry point. `make help` lists what it does.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

VERSION := 0.1.0
BUILD   := build
CXX     := g++-12
CC      := gcc-12
CLANG   ?= $(shell command -v clang-19 || echo clang)
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
# The kernels that the VM boots and the tests run on.
KERNELS := 6.1 6.12 6.12-rt 7
KERNEL  ?= 6.12
CPUS    ?= 2

# What the targets for users pass on: as many compilers as CPUs, unless -j says otherwise.
PARALLEL := $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

V ?= 0
ifeq ($(V),0)
  Q   := @
  say  = @printf '  %-7s %s\n' '$(1)' '$(2)';
endif

# -g1 keeps function names for backtraces at a third of the size.
OPT      ?= -O2 -g1
INCLUDES := -Iuserspace -Iuserspace/include -Imodule -I$(BUILD)
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror
CXXFLAGS := -std=c++23 $(OPT) $(WARNINGS) -MMD -MP -pthread -DSCHEDSCOPE_VERSION='"$(VERSION)"'
# Boost is static: the program then runs where Boost is not installed, a VM's guest for one.
LIBS     := -lbpf -lelf -lz -lzstd -lfmt -l:libboost_fiber.a -l:libboost_context.a -pthread

SOURCES := $(filter-out %_test.cc %_fuzz.cc %_bench.cc userspace/cli/main.cc,$(wildcard userspace/*/*.cc))
TESTS   := $(wildcard userspace/*/*_test.cc)
C_TESTS := $(wildcard userspace/*/*_test.c)
GOLDEN  := $(wildcard tests/golden/*.cc)
OBJECTS := $(SOURCES:%.cc=$(BUILD)/%.o)
MAIN    := $(BUILD)/userspace/cli/main.o
objects  = $(patsubst %.cc,$(BUILD)/%.o,$(1))

.PHONY: all
all: $(BUILD)/schedscope host-module

include mk/deps.mk
include mk/page.mk
include mk/module.mk
include mk/vm.mk
include mk/check.mk
include mk/fuzz.mk
include mk/bench.mk
include mk/install.mk
include mk/deb.mk

define link
	$(call say,LINK,$@)
	$(Q)$(CXX) $(OPT) -o $@ $(filter %.o,$^) $(LIBS)
endef

$(BUILD)/schedscope: $(MAIN) $(OBJECTS)
	$(link)

$(BUILD)/unit-tests: $(call objects,$(TESTS)) $(C_TESTS:%.c=$(BUILD)/%.o) $(OBJECTS)
	$(link) -lgtest -lgtest_main

$(BUILD)/golden: $(call objects,$(GOLDEN)) $(OBJECTS)
	$(link)

$(BUILD)/%.o: %.cc
	$(call say,CXX,$<)
	$(Q)mkdir -p $(@D) && $(CXX) $(CXXFLAGS) $(INCLUDES) -c -o $@ $<

# The public header is for C, too.
$(BUILD)/userspace/%.o: userspace/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) -std=c11 $(OPT) $(WARNINGS) -MMD -MP -Iuserspace/include -c -o $@ $<

# One object for all kernels: CO-RE fits it to the running one.
$(BUILD)/%.bpf.o: %.bpf.c $(wildcard bpf/*.h) module/uapi/schedscope.h
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -g -O2 -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror -target bpf \
	  -D__TARGET_ARCH_x86 -Imodule -idirafter /usr/include/x86_64-linux-gnu -c -o $@.tmp $<
	$(Q)$(BPFTOOL) gen object $@ $@.tmp && rm $@.tmp

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf >$@

$(BUILD)/userspace/collect/probes.o: $(BUILD)/bpf/record.skel.h
$(BUILD)/userspace/collect/tally.o: $(BUILD)/bpf/tally.skel.h
$(BUILD)/userspace/collect/interrupt_sums.o: $(BUILD)/bpf/record.skel.h

# The names of system calls, as the kernel's headers have them.
$(BUILD)/schema/syscalls_%.inc:
	$(call say,NAMES,$@)
	$(Q)mkdir -p $(@D) && echo '#include <asm/unistd_$*.h>' | $(CC) -E -dM - | \
	  sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$$/{\2, "\1"},/p' | sort -t '{' -k 2n >$@

$(BUILD)/userspace/schema/syscalls.o: $(BUILD)/schema/syscalls_64.inc $(BUILD)/schema/syscalls_32.inc

-include $(OBJECTS:.o=.d) $(MAIN:.o=.d) $(patsubst %.cc,$(BUILD)/%.d,$(TESTS) $(GOLDEN))

.PHONY: demo
demo: deps
	@$(MAKE) --no-print-directory $(PARALLEL) demo-ready
	@tests/demo

.PHONY: demo-ready
demo-ready: $(BUILD)/schedscope vm-module-$(KERNEL)

.PHONY: test
test: deps
	@$(MAKE) --no-print-directory $(PARALLEL) test-ready $(if $(filter too,$(DEBUG)),test-debug-ready)
	@KERNELS='$(KERNELS)' DEBUG=$(DEBUG) tests/run

.PHONY: test-ready
test-ready: $(BUILD)/schedscope $(BUILD)/unit-tests $(BUILD)/golden $(BUILD)/ledger-math-test \
  $(KERNELS:%=vm-module-%) selftests page-tests deb fuzz-ready

.PHONY: clean
clean:
	rm -rf $(BUILD)

.PHONY: help
help:
	@sed -n 's/^#: //p' Makefile

#: make                 build all that this host can build into build/
#: make deps            install the Debian packages that building and testing need
#: make demo            the main job, in a VM: build/demo/report.html and more
#: make test            all tests; closes on "N passed, N failed, N skipped"
#: make test-debug      the tests in a VM on a kernel that looks for bugs, which it builds once
#: make vm [KERNEL=6.1|6.12|6.12-rt|7|debug] [CPUS=n] [CMD='...']   a VM that sees this tree, with a shell or CMD
#: make fuzz [SECONDS=n]   feed each parser of foreign bytes random ones for so long (60)
#: make bench           what it costs, beside perf and an empty probe: build/bench/results.json
#: make check           format, clang-tidy, checkpatch, sparse, shellcheck
#: make install [PREFIX=...] [DESTDIR=...]   program, manual, headers, completion, DKMS source, udev rule
#: make deb             the Debian packages schedscope and schedscope-dkms, in build/deb/
#: make clean           remove build/
#: V=1                  show the commands
