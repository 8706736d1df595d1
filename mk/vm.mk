# SPDX-License-Identifier: GPL-2.0-only
# A VM that sees this tree at its own path, and the kselftests that run in it.

KSELFTEST := $(BUILD)/kselftest

.PHONY: vm
vm: vm-module-$(KERNEL)
	@tests/vm/run --kernel $(KERNEL) --cpus $(CPUS) $(if $(CMD),-- bash -c '$(subst ','\'',$(CMD))')

.PHONY: selftests
selftests:
	$(call say,KSFT,$(KSELFTEST))
	$(Q)$(MAKE) --no-print-directory -s -C tests/selftests install \
	  KSFT=$$(tests/vm/kernels source)/tools/testing/selftests DEST=$(abspath $(KSELFTEST)) CC=$(CC)
