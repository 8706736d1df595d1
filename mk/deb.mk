# SPDX-License-Identifier: GPL-2.0-only
# Two Debian packages: the program, and the module's source, which DKMS builds on the machine.

DEB := $(BUILD)/deb
DEB_ARCH = $(shell dpkg --print-architecture)

.PHONY: deb
deb: $(BUILD)/schedscope $(BUILD)/schedscope.1
	$(call say,DEB,$(DEB))
	$(Q)VERSION=$(VERSION) ARCH=$(DEB_ARCH) OUT=$(CURDIR)/$(DEB) MAKE='$(MAKE) --no-print-directory -s' mk/deb/build
