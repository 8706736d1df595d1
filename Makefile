# SPDX-License-Identifier: GPL-2.0-only
# schedscope: the one entry point. `make help` lists what it does.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

BUILD   := build
CXX     := g++-12
CC      := gcc-12
CLANG   ?= $(shell command -v clang-19 || command -v clang)
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
V       ?= 0
ifeq ($(V),0)
  Q := @
  say = @printf '  %-7s %s\n' '$(1)' '$(2)';
endif

# -g1 keeps names for backtraces and symbols at a third of the size.
OPT      ?= -O2 -g1
INCLUDES := -Iuserspace -Iuserspace/include -Imodule -I$(BUILD)
CXXFLAGS += -std=c++23 $(OPT) -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror -MMD -MP
CXXFLAGS += -DFMT_HEADER_ONLY=0 -pthread
LIBS     := -lbpf -lelf -lz -lzstd -lfmt -pthread
# Static: the fiber workload's TLS symbol stays readable, and the program runs where Boost is not installed.
LIBS     += -l:libboost_fiber.a -l:libboost_context.a

SOURCES  := $(filter-out %_test.cc %_fuzz.cc %_bench.cc userspace/cli/main.cc,$(wildcard userspace/*/*.cc))
TESTS    := $(wildcard userspace/*/*_test.cc)
OBJECTS  := $(SOURCES:%.cc=$(BUILD)/%.o)
MAIN     := $(BUILD)/userspace/cli/main.o
SKELETON := $(BUILD)/bpf/record.skel.h

include mk/deps.mk

.PHONY: all
all: $(BUILD)/schedscope

$(BUILD)/schedscope: $(MAIN) $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(OPT) -o $@ $^ $(LIBS)

$(BUILD)/unit-tests: $(TESTS:%.cc=$(BUILD)/%.o) $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CXX) $(OPT) -o $@ $^ $(LIBS) -lgtest -lgtest_main

$(BUILD)/%.o: %.cc | $(BUILD_READY)
	$(call say,CXX,$<)
	$(Q)mkdir -p $(@D) && $(CXX) $(CXXFLAGS) $(INCLUDES) -c -o $@ $<

# One program a kernel interface; CO-RE makes it one binary for every kernel.
$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) module/uapi/schedscope.h
	$(call say,BPF,$<)
	$(Q)mkdir -p $(@D) && $(CLANG) -g -O2 -Wall -Wextra -Werror -target bpf -D__TARGET_ARCH_x86 \
	  -Imodule -idirafter /usr/include/x86_64-linux-gnu -c -o $@.tmp $<
	$(Q)$(BPFTOOL) gen object $@ $@.tmp && rm $@.tmp

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(BUILD)/userspace/collect/%.o: $(SKELETON)

-include $(OBJECTS:.o=.d) $(MAIN:.o=.d) $(TESTS:%.cc=$(BUILD)/%.d)
