# SPDX-License-Identifier: GPL-2.0-only
# schedscope.ko, out of tree: build/module/RELEASE/schedscope.ko

MODULE_SOURCES := $(wildcard module/*.c module/*.h module/uapi/*.h module/features/*.c) module/Kbuild module/Makefile
MODULE_FLAGS   ?= W=1

# $(1): headers, $(2): release, $(3): compiler
build_module = $(MAKE) --no-print-directory -s -C module modules KDIR=$(1) \
  OUT=$(CURDIR)/$(BUILD)/module/$(2) CC=$(3) $(MODULE_FLAGS)

# A host without headers for its kernel builds everything else.
HOST_KDIR := $(wildcard /lib/modules/$(shell uname -r)/build)

.PHONY: host-module
host-module:
ifneq ($(HOST_KDIR),)
	$(call say,KBUILD,$(shell uname -r))
	$(Q)$(call build_module,$(HOST_KDIR),$(shell uname -r),$(CC))
else
	@echo "  no module: no headers of this host's kernel ($(shell uname -r)) are installed"
endif

.PHONY: vm-module-%
vm-module-%:
	$(Q)tests/vm/kernels fetch $*
	$(call say,KBUILD,$*)
	+$(Q)kdir=$$(tests/vm/kernels kdir $*) && release=$$(tests/vm/kernels release $*) && \
	  cc=$$(tests/vm/kernels cc $*) && tests/vm/kernels with $* $(call build_module,$$kdir,$$release,$$cc)

# The unit tests of the module's arithmetic: here in user space, and on the debug kernel by KUnit.
$(BUILD)/ledger-math-test: module/ledger_math_test.c module/ledger_math.h $(wildcard tests/kunit/*/*.h)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) -O2 -g -Wall -Wextra -Werror -Itests/kunit -Imodule -o $@ $<

.PHONY: kunit-module
kunit-module:
	$(Q)tests/vm/kernels fetch debug
	$(call say,KBUILD,debug kunit)
	+$(Q)mkdir -p $(BUILD)/kunit && ln -srf tests/kunit/Kbuild module/ledger_math_test.c $(BUILD)/kunit && \
	  $(MAKE) --no-print-directory -s -C "$$(tests/vm/kernels kdir debug)" M=$(CURDIR)/$(BUILD)/kunit \
	  MODULE_SOURCE=$(CURDIR)/module CC="$$(tests/vm/kernels cc debug)" $(MODULE_FLAGS) modules
