# SPDX-License-Identifier: GPL-2.0-only
# What goes where on a machine. `make deb` packs the same files.

PREFIX  ?= /usr/local
DESTDIR ?=
# udev, sysusers and DKMS look in /usr/lib and /usr/src only, whatever the prefix is.
DKMS    := $(DESTDIR)/usr/src/schedscope-$(VERSION)

MODULE_SHIPPED := $(filter-out %_test.c,$(shell find module -type f ! -name dkms.conf))

.PHONY: install
install: install-program install-dkms

.PHONY: install-program
install-program: $(BUILD)/schedscope $(BUILD)/schedscope.1
	install -D -m 0755 $(BUILD)/schedscope $(DESTDIR)$(PREFIX)/bin/schedscope
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/include/schedscope userspace/include/schedscope/*.h*
	install -D -m 0644 $(BUILD)/schedscope.1 $(DESTDIR)$(PREFIX)/share/man/man1/schedscope.1
	install -D -m 0644 mk/deb/completion $(DESTDIR)$(PREFIX)/share/bash-completion/completions/schedscope

.PHONY: install-dkms
install-dkms:
	for file in $(MODULE_SHIPPED:module/%=%); do \
	  install -D -m 0644 module/$$file $(DKMS)/$$file || exit 1; done
	sed 's/@VERSION@/$(VERSION)/' module/dkms.conf >$(DKMS)/dkms.conf
	install -D -m 0644 mk/deb/udev.rules $(DESTDIR)/usr/lib/udev/rules.d/60-schedscope.rules
	install -D -m 0644 mk/deb/sysusers.conf $(DESTDIR)/usr/lib/sysusers.d/schedscope.conf

$(BUILD)/schedscope.1: Documentation/schedscope.1.rst
	$(call say,MAN,$@)
	$(Q)mkdir -p $(@D) && sed 's/@VERSION@/$(VERSION)/' $< | rst2man --halt=warning - $@
