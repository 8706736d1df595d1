# SPDX-License-Identifier: GPL-2.0-only
# What a reviewer would say, said by tools.

CPP_FILES := $(wildcard userspace/*/*.cc userspace/*/*.h tests/golden/*.cc tests/golden/*.h tests/bench/*.cc \
  Documentation/examples/*.hpp) $(filter-out %/schedscope.h,$(wildcard userspace/include/schedscope/*.h*))
C_FILES   := $(wildcard module/*.c module/*.h module/features/*.c)
# What programs outside the kernel include has no BIT() either.
BPF_FILES := $(wildcard bpf/*.c bpf/*.h module/uapi/*.h)
SHELL_FILES = $(shell git ls-files | xargs -r grep -lE '^\#!/(usr/)?bin/(env )?(ba)?sh')

.PHONY: check
check: check-format check-shell check-docs check-kernel check-page check-tidy

.PHONY: check-format
check-format:
	$(call say,FORMAT,$(words $(CPP_FILES)) files)
	$(Q)clang-format-19 --dry-run --Werror $(CPP_FILES)

.PHONY: check-shell
check-shell:
	$(call say,SHELL,shellcheck)
	$(Q)shellcheck -x $(SHELL_FILES)

DOCUMENTS := $(wildcard Documentation/*.rst)
.PHONY: check-docs
check-docs:
	$(call say,DOCS,$(words $(DOCUMENTS)) files)
	$(Q)for file in $(DOCUMENTS); do rst2man --halt=warning $$file >/dev/null || exit 1; done

# yield() is what the switch benchmark measures; -ENOSYS is what a register holds during a system call.
CHECKPATCH := --no-tree --strict --quiet --terse --show-types --ignore YIELD,ENOSYS -f
# BPF is C by the kernel's style, but no kernel C: its maps, knobs and CO-RE attributes look wrong.
CHECKPATCH_BPF := $(CHECKPATCH) --ignore \
  GLOBAL_INITIALISERS,BIT_MACRO,LINE_SPACING,AVOID_EXTERNS,PREFER_DEFINED_ATTRIBUTE_MACRO,VOLATILE

.PHONY: check-kernel
check-kernel:
	$(call say,CHECK,checkpatch)
	$(Q)perl $$(tests/vm/kernels source)/scripts/checkpatch.pl $(CHECKPATCH) $(C_FILES)
	$(Q)perl $$(tests/vm/kernels source)/scripts/checkpatch.pl $(CHECKPATCH_BPF) $(BPF_FILES)
	$(Q)for kernel in $(KERNELS); do \
	  printf '  %-7s %s\n' SPARSE $$kernel; \
	  tests/vm/kernels with $$kernel $(MAKE) --no-print-directory -s -C module modules \
	    KDIR=$$(tests/vm/kernels kdir $$kernel) CC=$$(tests/vm/kernels cc $$kernel) \
	    OUT=$(abspath $(BUILD))/sparse/$$kernel W=1 C=2 CF=-D__CHECK_ENDIAN__ 2>&1 | \
	    { ! grep -E 'warning|error'; } || exit 1; done

.PHONY: check-tidy
check-tidy: $(BUILD)/bpf/record.skel.h
	$(call say,TIDY,$(words $(SOURCES)) files)
	$(Q)printf '%s\n' $(SOURCES) userspace/cli/main.cc | \
	  xargs -P 2 -n 4 clang-tidy-19 --quiet -- -x c++ -std=c++23 $(INCLUDES) \
	  -DSCHEDSCOPE_VERSION='"$(VERSION)"' 2> >(grep -v 'warnings generated' >&2)
