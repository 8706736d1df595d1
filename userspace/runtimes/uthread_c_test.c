// SPDX-License-Identifier: GPL-2.0-only
// A second translation unit for uthread_test.cc, in C: both must find one ring.
#include "schedscope/uthread.h"

void switch_from_c(uint64_t id);
void* ring_from_c(void);

void switch_from_c(uint64_t id) {
  schedscope_uthread_switch(id);
}

void* ring_from_c(void) {
  return schedscope_uthread_mine_.ring;
}
