# SPDX-License-Identifier: GPL-2.0-only

PREFIX  ?= /usr/local
DESTDIR ?=
DKMS    := $(DESTDIR)/usr/src/schedscope-$(VERSION)

.PHONY: install
install: $(BUILD)/schedscope
	install -D -m 0755 $(BUILD)/schedscope $(DESTDIR)$(PREFIX)/bin/schedscope
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/include/schedscope userspace/include/schedscope/*.h \
	  userspace/include/schedscope/*.hpp
	install -D -m 0644 -t $(DKMS) $(filter-out %_test.c,$(wildcard module/*.c)) $(wildcard module/*.h) \
	  module/Kbuild module/Makefile module/dkms.conf
	install -D -m 0644 -t $(DKMS)/uapi module/uapi/schedscope.h
	install -D -m 0644 -t $(DKMS)/features $(wildcard module/features/*.c)
