# SPDX-License-Identifier: GPL-2.0-only
# A VM that sees this tree at its own path, and the kselftests that run in it.

KSELFTEST := $(BUILD)/kselftest

.PHONY: vm
vm: vm-module-$(KERNEL)
	@tests/vm/run --kernel $(KERNEL) --cpus $(CPUS) $(if $(CMD),-- bash -c '$(subst ','\'',$(CMD))')

# The debug kernel: 8 minutes to build, once.
.PHONY: test-debug
test-debug: deps
	@$(MAKE) --no-print-directory $(PARALLEL) test-debug-ready
	@DEBUG=only tests/run

.PHONY: test-debug-ready
test-debug-ready: $(BUILD)/schedscope $(BUILD)/golden vm-module-debug kunit-module selftests

.PHONY: selftests
selftests:
	$(call say,KSFT,$(KSELFTEST))
	$(Q)source=$$(tests/vm/kernels source) && $(MAKE) --no-print-directory -s -C tests/selftests root \
	  KSFT=$$source/tools/testing/selftests ROOT=$(CURDIR)/$(KSELFTEST) CC=$(CC)
