# SPDX-License-Identifier: GPL-2.0-only
# The page that `report --html` writes: bundled into one file, then part of the program.

PAGE         := $(BUILD)/report/page.html
PAGE_DIR     := userspace/report/page
PAGE_MODULES := $(PAGE_DIR)/node_modules/.package-lock.json
BROWSER_MODULES := tests/browser/node_modules/.package-lock.json
NPM_CI       := npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

$(PAGE_MODULES): $(PAGE_DIR)/package.json $(PAGE_DIR)/package-lock.json
	$(call say,NPM,$(PAGE_DIR))
	$(Q)$(NPM_CI) --prefix $(PAGE_DIR) --omit=dev >/dev/null && touch $@

ifeq ($(shell command -v npm),)
# The program says what is missing when a page is asked for; everything else works.
$(PAGE):
	@echo '  NPM     not found: report --html will not work' && mkdir -p $(@D) && : >$@
else
$(PAGE): $(PAGE_MODULES) $(PAGE_DIR)/build.mjs $(wildcard $(PAGE_DIR)/src/*)
	$(call say,PAGE,$@)
	$(Q)node $(PAGE_DIR)/build.mjs $@
endif

$(BUILD)/userspace/report/page.o: $(PAGE)
$(BUILD)/userspace/report/page.o: CXXFLAGS += -DSCHEDSCOPE_PAGE='"$(PAGE)"'

# A made-up capture that has something of everything, for the tests of page and trace.
$(BUILD)/page-sample: $(BUILD)/tests/browser/sample.o $(OBJECTS)
	$(link)

$(BROWSER_MODULES): tests/browser/package.json tests/browser/package-lock.json
	$(call say,NPM,tests/browser)
	$(Q)$(NPM_CI) --prefix tests/browser >/dev/null && touch $@

.PHONY: page-tests
page-tests: $(BUILD)/schedscope $(BUILD)/page-sample $(if $(shell command -v npm),$(BROWSER_MODULES))

# All packages this time: the type checker too.
.PHONY: check-page
check-page:
	$(call say,TSC,$(PAGE_DIR))
	$(Q)$(NPM_CI) --prefix $(PAGE_DIR) >/dev/null && npm run --prefix $(PAGE_DIR) --silent check
