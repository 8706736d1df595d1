/* SPDX-License-Identifier: MIT */
/*
 * schedscope/timeslice.h: how the calling thread's own time slice stands, without a system
 * call, from the page that schedscope.ko keeps for it. C11 or C++11, GCC or Clang; no library
 * to link but the C library.
 *
 *	page = schedscope_timeslice_open();              once a thread
 *	left = schedscope_timeslice_left_ns(page);       whenever it may matter
 *	schedscope_timeslice_read(page, &copy);          all that the page says
 *	schedscope_timeslice_close(page);
 *
 * What it is for: whoever gives up the CPU at a moment of his own choosing, as a fiber runtime
 * between two fibers, does not lose it at another one, with a lock held. See
 * Documentation/timeslice.rst.
 *
 * A page is one thread's, and says so of that thread whoever reads it; only its process may. What
 * the module does when the thread exits, calls execve(2) or fork(2): see struct
 * schedscope_slicepage and what stands below it.
 *
 * Cost: _read() copies two cache lines, _left_ns() does that and reads the clock. Neither
 * blocks or calls the kernel, and both may be called from a signal handler.
 */
#ifndef SCHEDSCOPE_TIMESLICE_H
#define SCHEDSCOPE_TIMESLICE_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "schedscope.h"

#define SCHEDSCOPE_TIMESLICE_DEVICE "/dev/schedscope-slice"
#define SCHEDSCOPE_TIMESLICE_UNKNOWN UINT64_MAX

/*
 * Maps the page of the calling thread: one mapping for each call, to be closed each. NULL with
 * errno: ENOENT the module is not loaded, EACCES the node is not for this user, EPROTO the
 * module is another version, ENFILE or EMFILE it has no more pages, ENOMEM.
 */
static inline const struct schedscope_slicepage* schedscope_timeslice_open(void) {
  const size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
  const struct schedscope_slicepage* page;
  void* mapping;
  int error;
  const int fd = open(SCHEDSCOPE_TIMESLICE_DEVICE, O_RDONLY | O_CLOEXEC);

  if (fd < 0) return NULL;
  mapping = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
  error = errno;
  close(fd); /* the mapping stays */
  if (mapping == MAP_FAILED) {
    errno = error;
    return NULL;
  }
  page = (const struct schedscope_slicepage*)mapping;
  if (page->version != SCHEDSCOPE_SLICEPAGE_VERSION || page->bytes < sizeof(*page)) {
    munmap(mapping, bytes);
    errno = EPROTO;
    return NULL;
  }
  return page;
}

/* NULL is no page, and nothing to do. */
static inline void schedscope_timeslice_close(const struct schedscope_slicepage* page) {
  if (page != NULL) munmap((void*)page, (size_t)sysconf(_SC_PAGESIZE));
}

/* A copy of one moment. How often it had to be read again: seldom, by the thread itself. */
static inline unsigned schedscope_timeslice_read(const struct schedscope_slicepage* page,
                                                 struct schedscope_slicepage* copy) {
  unsigned again;

  for (again = 0;; ++again) {
    const uint32_t seq = __atomic_load_n(&page->seq, __ATOMIC_ACQUIRE);
    if ((seq & 1) != 0) continue;
    memcpy(copy, page, sizeof(*copy));
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&page->seq, __ATOMIC_RELAXED) == seq) return again;
  }
}

/*
 * What is left of the slice that the thread is in, in ns: what the scheduler said at the last
 * switch or timer interrupt, less the time since. Of that the scheduler may not charge what
 * interrupts or a hypervisor took: then this is so much too little. 0: used up, and
 * the next tick may end the slice. SCHEDSCOPE_TIMESLICE_UNKNOWN: the thread is on no CPU, or the
 * scheduler grants nothing that can be read (CFS, SCHED_FIFO).
 *
 * A slice may end before: see @left_ns of struct schedscope_slicepage.
 */
static inline uint64_t schedscope_timeslice_left_ns(const struct schedscope_slicepage* page) {
  const uint32_t both = SCHEDSCOPE_SLICEPAGE_ON_CPU | SCHEDSCOPE_SLICEPAGE_LEFT;
  struct schedscope_slicepage copy;
  struct timespec now;
  int64_t left_ns;

  /* After a switch between the two readings this is the begin of another slice. */
  do {
    schedscope_timeslice_read(page, &copy);
    if ((copy.flags & both) != both) return SCHEDSCOPE_TIMESLICE_UNKNOWN;
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (__atomic_load_n(&page->seq, __ATOMIC_RELAXED) != copy.seq);
  left_ns = (int64_t)(copy.left_ns + copy.updated_ns) -
            ((int64_t)now.tv_sec * 1000000000 + (int64_t)now.tv_nsec);
  return left_ns > 0 ? (uint64_t)left_ns : 0;
}

#endif /* SCHEDSCOPE_TIMESLICE_H */
