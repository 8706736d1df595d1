// SPDX-License-Identifier: GPL-2.0-only
#include "report/page.h"

// Where make puts the bundled page: see mk/page.mk.
#ifndef SCHEDSCOPE_PAGE
#define SCHEDSCOPE_PAGE "build/report/page.html"
#endif

// .incbin takes the file as it is: no generated source, no limit on a string's length.
asm(".pushsection .rodata\n"
    "schedscope_page_begin:\n"
    ".incbin \"" SCHEDSCOPE_PAGE
    "\"\n"
    "schedscope_page_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" {
extern const char schedscope_page_begin[];
extern const char schedscope_page_end[];
}

namespace schedscope::report {

std::string_view page_template() {
  return {schedscope_page_begin,
          static_cast<std::size_t>(schedscope_page_end - schedscope_page_begin)};
}

}  // namespace schedscope::report
