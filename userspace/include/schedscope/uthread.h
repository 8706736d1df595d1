/* SPDX-License-Identifier: MIT */
/*
 * schedscope/uthread.h: what a runtime of user-level threads (fibers, coroutines, green
 * threads) includes so that schedscope can see them. C11 or C++11, Linux, GCC or Clang; no
 * library to link but the C library.
 *
 * In the scheduler of the runtime, on the thread that carries the user threads:
 *
 *	schedscope_uthread_carrier("my-runtime", 0);     once a thread; optional
 *	id = schedscope_uthread_new();                   when a user thread is made
 *	schedscope_uthread_name(id, "reader");           optional
 *	schedscope_uthread_ready(id);                    it can run
 *	schedscope_uthread_switch(id);                   it runs now; 0: the runtime itself does
 *	schedscope_uthread_park(id);                     it waits for something inside the runtime
 *	schedscope_uthread_end(id);                      it is over
 *
 * Say what becomes of a user thread before it is switched away from: ready() for a yield, park()
 * or end(); schedscope_uthread_switch_from() does both with one time stamp. Not told, it counts
 * as parked. Say ready() before another thread can find the user thread in a run queue, and
 * park() before anything can wake it: then the records have the order of what happened. What
 * the runtime learns late (a wakeup from another thread, an expired timer) is told late, and
 * the user thread counts as parked until then.
 *
 * Cost of a call once the thread's ring exists: a time stamp, two stores and an index. The stamp
 * is nearly all of it: 3 to 10 ns, by the processor.
 * Nothing on this path blocks, allocates, locks or calls the kernel. The first call on a thread
 * makes its ring: a few system calls, 16 bytes a record of memory, one descriptor. Without
 * memory, descriptors or permission for these calls, nothing is recorded and nothing else
 * changes; errno is kept in every case.
 *
 * The ring is overwritten from its oldest record; a reader that is too slow knows how many it
 * missed. Records: 65,536 (1 MiB) a thread, or what schedscope_uthread_set_records() or the
 * environment's SCHEDSCOPE_UTHREAD_RECORDS says (0: none of this happens).
 *
 * Not async-signal-safe on one thread: do not call from a signal handler that can interrupt a
 * call. Each thread has a ring of its own, so threads need no lock between them. As with errno,
 * the compiler may keep the address of a thread's variables across a call: where a user thread
 * moves between threads, call from a function that no switch happens in.
 *
 * fork(2): the child's first call makes rings of its own, whichever way the child was made: the
 * page that leads to the parent's ring is wiped by the kernel in the child (MADV_WIPEONFORK).
 * A library that is unloaded with dlclose(3) while its threads live is linked with -z nodelete.
 *
 * Several translation units, in C and in C++, share one state per program or library (weak
 * hidden symbols). Ids and schedscope_uthread_current are of the whole process, as far as the
 * dynamic linker binds weak symbols together.
 *
 * How a reader finds a ring: the thread that makes one sends its descriptor in a datagram to
 * the abstract socket "\0schedscope-uthread"; nobody there is no error. A reader that comes
 * later finds it as "memfd:schedscope-uthread" in /proc/PID/fd.
 *
 * Memory model: one writer, the carrier. Record number n (from 0) is at place n % capacity.
 * The writer stores a record's two words and then `head` = n + 1 with release order; it stores
 * into no place before `head` of the records before is visible. A reader loads `head` with
 * acquire order, copies, issues an acquire fence and loads `head` again, as h: of what it
 * copied, exactly the records n > h - capacity are whole.
 */
#ifndef SCHEDSCOPE_UTHREAD_H
#define SCHEDSCOPE_UTHREAD_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SCHEDSCOPE_UTHREAD_MAGIC 0x64616572687475ffULL /* "\xffuthread", little-endian */
#define SCHEDSCOPE_UTHREAD_VERSION 1
#define SCHEDSCOPE_UTHREAD_HEADER_BYTES 4096
#define SCHEDSCOPE_UTHREAD_DEFAULT_RECORDS 65536
#define SCHEDSCOPE_UTHREAD_MIN_RECORDS 256
#define SCHEDSCOPE_UTHREAD_MAX_RECORDS (1u << 22)
#define SCHEDSCOPE_UTHREAD_RUNTIME_LEN 32
/* Bytes of a user thread's name that are kept, its NUL not counted. */
#define SCHEDSCOPE_UTHREAD_NAME_MAX 31
/* Name of the memfd and, behind a NUL, of the abstract socket. */
#define SCHEDSCOPE_UTHREAD_FILE "schedscope-uthread"
#define SCHEDSCOPE_UTHREAD_ENV "SCHEDSCOPE_UTHREAD_RECORDS"

/* Kinds of records: the low 8 bits of their second word. */
enum {
  SCHEDSCOPE_UTHREAD_SWITCH = 1,
  SCHEDSCOPE_UTHREAD_READY = 2,
  SCHEDSCOPE_UTHREAD_PARK = 3,
  SCHEDSCOPE_UTHREAD_END = 4,
  /*
   * A name, 8 bytes a record in the place of the stamp; part i of it has kind NAME + i.
   * Parts follow each other, and the part with a NUL is the last.
   */
  SCHEDSCOPE_UTHREAD_NAME = 8,
  SCHEDSCOPE_UTHREAD_NAME_PARTS = 4
};

/* What the stamps count. */
enum {
  SCHEDSCOPE_UTHREAD_CLOCK_MONOTONIC = 0, /* clock_gettime, ns */
  SCHEDSCOPE_UTHREAD_CLOCK_COUNTER = 1    /* the processor's: x86 TSC, arm64 cntvct */
};

struct schedscope_uthread_record {
  uint64_t stamp;
  uint64_t word; /* id << 8 | kind */
};

/* The first page of a ring; the records follow at header_bytes. */
struct schedscope_uthread_header {
  uint64_t magic;
  uint32_t version;
  uint32_t header_bytes;
  uint32_t record_bytes;
  uint32_t capacity; /* records, a power of two */
  uint32_t pid;      /* as the process sees it: namespaces */
  uint32_t tid;
  uint64_t created; /* stamp */
  uint32_t clock;   /* SCHEDSCOPE_UTHREAD_CLOCK_* */
  uint32_t closed;  /* the thread is over, or does not write here any more */
  /* Of the two below: odd while they change, another even number when they have. */
  uint32_t carrier_seq;
  uint32_t reserved;
  uint64_t run_queue; /* that this thread takes user threads from; 0: one of its own */
  char runtime[SCHEDSCOPE_UTHREAD_RUNTIME_LEN];
  /* Records written so far; on a line of its own, which the reader shares with the writer. */
  uint64_t head __attribute__((aligned(64)));
};

/*
 * The user thread on this thread, 0 for the runtime itself, and how often that has changed. A
 * probe that stops the thread (a debugger, a kernel probe) finds it by its name.
 */
struct schedscope_uthread_now {
  uint64_t current;
  uint64_t seq;
};

/* --- from here to the next line of this kind, private --- */

/* What the hot path uses, on a page of its own that a fork wipes. */
struct schedscope_uthread_hot_ {
  struct schedscope_uthread_record* records; /* NULL: no ring */
  struct schedscope_uthread_header* header;
  uint64_t head;
  uint64_t mask;
};

struct schedscope_uthread_local_ {
  struct schedscope_uthread_hot_* hot;
  void* ring;
  size_t bytes;
  dev_t dev;
  ino_t ino;
  int fd;
  int off; /* no ring, and none will be tried */
  uint64_t run_queue;
  char runtime[SCHEDSCOPE_UTHREAD_RUNTIME_LEN];
};

#define SCHEDSCOPE_UTHREAD_HIDDEN_ __attribute__((weak, visibility("hidden")))
#define SCHEDSCOPE_UTHREAD_SHARED_ __attribute__((weak, visibility("default")))
#define SCHEDSCOPE_UTHREAD_COLD_ __attribute__((weak, visibility("hidden"), noinline, cold, unused))
#define SCHEDSCOPE_UTHREAD_TLS_ __attribute__((tls_model("initial-exec")))

#ifdef __cplusplus
extern "C" {
#elif defined(__GLIBC__) && !defined(__USE_MISC)
long syscall(long number, ...); /* -std=c11 hides it */
#endif

/* Of the whole process: exported, so that libraries share them. */
SCHEDSCOPE_UTHREAD_SHARED_ SCHEDSCOPE_UTHREAD_TLS_ __thread struct schedscope_uthread_now
    schedscope_uthread_current = {0, 0};
SCHEDSCOPE_UTHREAD_SHARED_ uint64_t schedscope_uthread_last_id_ = 0;

/* Stands for "no ring yet": never written, so all threads share it. */
SCHEDSCOPE_UTHREAD_HIDDEN_ struct schedscope_uthread_hot_ schedscope_uthread_none_ = {NULL, NULL, 0,
                                                                                      0};
SCHEDSCOPE_UTHREAD_HIDDEN_ SCHEDSCOPE_UTHREAD_TLS_ __thread struct schedscope_uthread_local_
    schedscope_uthread_mine_ = {&schedscope_uthread_none_, NULL, 0, 0, 0, -1, 0, 0, {0}};
SCHEDSCOPE_UTHREAD_HIDDEN_ uint32_t schedscope_uthread_records_ =
    SCHEDSCOPE_UTHREAD_DEFAULT_RECORDS;
SCHEDSCOPE_UTHREAD_HIDDEN_ pthread_once_t schedscope_uthread_once_ = PTHREAD_ONCE_INIT;
SCHEDSCOPE_UTHREAD_HIDDEN_ pthread_key_t schedscope_uthread_key_ = 0;
SCHEDSCOPE_UTHREAD_HIDDEN_ int schedscope_uthread_key_made_ = 0;

static inline uint64_t schedscope_uthread_stamp_(void) {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t value;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
  return value;
#else
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__)
#define SCHEDSCOPE_UTHREAD_CLOCK_HERE_ SCHEDSCOPE_UTHREAD_CLOCK_COUNTER
#else
#define SCHEDSCOPE_UTHREAD_CLOCK_HERE_ SCHEDSCOPE_UTHREAD_CLOCK_MONOTONIC
#endif

/* Unmaps this thread's ring; closes its descriptor unless that is another file by now. */
SCHEDSCOPE_UTHREAD_COLD_ void schedscope_uthread_drop_ring_(void) {
  struct schedscope_uthread_local_* local = &schedscope_uthread_mine_;
  struct stat st;

  if (local->ring) munmap(local->ring, local->bytes);
  if (local->fd >= 0 && fstat(local->fd, &st) == 0 && st.st_dev == local->dev &&
      st.st_ino == local->ino)
    syscall(SYS_close, local->fd);
  local->ring = NULL;
  local->fd = -1;
}

/* The thread ends. Other destructors may still call in after this: no ring then. */
SCHEDSCOPE_UTHREAD_COLD_ void schedscope_uthread_exit_(void* page) {
  struct schedscope_uthread_local_* local = &schedscope_uthread_mine_;
  struct schedscope_uthread_hot_* hot = (struct schedscope_uthread_hot_*)page;
  const int error = errno;

  local->off = 1;
  local->hot = &schedscope_uthread_none_;
  if (hot->header) __atomic_store_n(&hot->header->closed, 1, __ATOMIC_RELEASE);
  schedscope_uthread_drop_ring_();
  munmap(page, SCHEDSCOPE_UTHREAD_HEADER_BYTES);
  errno = error;
}

SCHEDSCOPE_UTHREAD_COLD_ void schedscope_uthread_init_(void) {
  const char* text = getenv(SCHEDSCOPE_UTHREAD_ENV);

  if (text && *text >= '0' && *text <= '9') {
    const unsigned long long wish = strtoull(text, NULL, 10);
    uint32_t records = wish ? SCHEDSCOPE_UTHREAD_MIN_RECORDS : 0;

    while (records < wish && records < SCHEDSCOPE_UTHREAD_MAX_RECORDS) records *= 2;
    __atomic_store_n(&schedscope_uthread_records_, records, __ATOMIC_RELAXED);
  }
  schedscope_uthread_key_made_ =
      pthread_key_create(&schedscope_uthread_key_, schedscope_uthread_exit_) == 0;
}

/* Sends the ring's descriptor to whoever records; nobody there is the usual case. */
SCHEDSCOPE_UTHREAD_COLD_ void schedscope_uthread_announce_(int fd) {
  const uint64_t magic = SCHEDSCOPE_UTHREAD_MAGIC;
  const int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct sockaddr_un to;
  struct iovec part;
  struct msghdr message;
  struct cmsghdr* rights;

  if (sock < 0) return;
  memset(&to, 0, sizeof(to));
  to.sun_family = AF_UNIX;
  memcpy(to.sun_path + 1, SCHEDSCOPE_UTHREAD_FILE, sizeof(SCHEDSCOPE_UTHREAD_FILE) - 1);
  part.iov_base = (void*)(uintptr_t)&magic;
  part.iov_len = sizeof(magic);
  memset(&control, 0, sizeof(control));
  memset(&message, 0, sizeof(message));
  message.msg_name = &to;
  message.msg_namelen =
      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(SCHEDSCOPE_UTHREAD_FILE));
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(rights), &fd, sizeof(int));
  syscall(SYS_sendmsg, sock, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  syscall(SYS_close, sock);
}

/*
 * A memfd of `bytes`, mapped. Sealed, so that a reader that maps it can never be cut off, and
 * that nobody who is given it can write (future write: from Linux 5.1 on).
 */
SCHEDSCOPE_UTHREAD_COLD_ int schedscope_uthread_map_(size_t bytes) {
  struct schedscope_uthread_local_* local = &schedscope_uthread_mine_;
  const unsigned cloexec_and_sealing = 3, add_seals = 1024 + 9;
  const unsigned seal = 1, shrink_grow = 2 | 4, future_write = 16;
  struct stat st;

  local->fd = (int)syscall(SYS_memfd_create, SCHEDSCOPE_UTHREAD_FILE, cloexec_and_sealing);
  if (local->fd < 0) return 0;
  if (fstat(local->fd, &st) == 0 && syscall(SYS_ftruncate, local->fd, (long)bytes) == 0 &&
      fcntl(local->fd, (int)add_seals, (int)shrink_grow) == 0) {
    void* ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, local->fd, 0);

    if (ring != MAP_FAILED) {
      fcntl(local->fd, (int)add_seals, (int)future_write);
      fcntl(local->fd, (int)add_seals, (int)seal);
      local->ring = ring;
      local->bytes = bytes;
      local->dev = st.st_dev;
      local->ino = st.st_ino;
      return 1;
    }
  }
  syscall(SYS_close, local->fd);
  local->fd = -1;
  return 0;
}

/* The page that a fork wipes. */
SCHEDSCOPE_UTHREAD_COLD_ struct schedscope_uthread_hot_* schedscope_uthread_page_(void) {
  const int map_anonymous = 0x20, madv_wipeonfork = 18;
  void* page = mmap(NULL, SCHEDSCOPE_UTHREAD_HEADER_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | map_anonymous, -1, 0);

  if (page == MAP_FAILED) return NULL;
  if (syscall(SYS_madvise, page, SCHEDSCOPE_UTHREAD_HEADER_BYTES, madv_wipeonfork) != 0 ||
      pthread_setspecific(schedscope_uthread_key_, page) != 0) {
    munmap(page, SCHEDSCOPE_UTHREAD_HEADER_BYTES);
    return NULL;
  }
  return (struct schedscope_uthread_hot_*)page;
}

static inline void schedscope_uthread_put_(struct schedscope_uthread_hot_* hot, uint64_t stamp,
                                           uint64_t word) {
  const uint64_t n = hot->head;
  struct schedscope_uthread_record* slot = hot->records + (n & hot->mask);

  /* Orders the last record's head before this one's words; nothing to do on x86. */
  __atomic_thread_fence(__ATOMIC_RELEASE);
  __atomic_store_n(&slot->stamp, stamp, __ATOMIC_RELAXED);
  __atomic_store_n(&slot->word, word, __ATOMIC_RELAXED);
  hot->head = n + 1;
  __atomic_store_n(&hot->header->head, n + 1, __ATOMIC_RELEASE);
}

SCHEDSCOPE_UTHREAD_COLD_ struct schedscope_uthread_hot_* schedscope_uthread_make_(void) {
  struct schedscope_uthread_local_* local = &schedscope_uthread_mine_;
  struct schedscope_uthread_hot_* hot = local->hot;
  struct schedscope_uthread_header* header;
  uint32_t records;

  /* A child of fork finds its hot page wiped, and the parent's ring still mapped. */
  schedscope_uthread_drop_ring_();
  pthread_once(&schedscope_uthread_once_, schedscope_uthread_init_);
  records = __atomic_load_n(&schedscope_uthread_records_, __ATOMIC_RELAXED);
  if (!schedscope_uthread_key_made_ || records == 0) return NULL;
  if (hot == &schedscope_uthread_none_) hot = schedscope_uthread_page_();
  if (!hot) return NULL;
  local->hot = hot;
  if (!schedscope_uthread_map_(SCHEDSCOPE_UTHREAD_HEADER_BYTES +
                               records * sizeof(struct schedscope_uthread_record)))
    return NULL;

  header = (struct schedscope_uthread_header*)local->ring;
  header->magic = SCHEDSCOPE_UTHREAD_MAGIC;
  header->version = SCHEDSCOPE_UTHREAD_VERSION;
  header->header_bytes = SCHEDSCOPE_UTHREAD_HEADER_BYTES;
  header->record_bytes = sizeof(struct schedscope_uthread_record);
  header->capacity = records;
  header->pid = (uint32_t)getpid();
  header->tid = (uint32_t)syscall(SYS_gettid);
  header->created = schedscope_uthread_stamp_();
  header->clock = SCHEDSCOPE_UTHREAD_CLOCK_HERE_;
  header->run_queue = local->run_queue;
  memcpy(header->runtime, local->runtime, sizeof(local->runtime));
  hot->header = header;
  hot->head = 0;
  hot->mask = records - 1;
  hot->records = (struct schedscope_uthread_record*)(void*)((char*)local->ring +
                                                            SCHEDSCOPE_UTHREAD_HEADER_BYTES);
  /* In a child of fork, or where a switch came before carrier(): who runs already. */
  if (schedscope_uthread_current.current)
    schedscope_uthread_put_(hot, header->created,
                            schedscope_uthread_current.current << 8 | SCHEDSCOPE_UTHREAD_SWITCH);
  schedscope_uthread_announce_(local->fd);
  return hot;
}

/* The thread's ring, made if need be; NULL when there is none and none can be had. */
SCHEDSCOPE_UTHREAD_COLD_ struct schedscope_uthread_hot_* schedscope_uthread_open_(void) {
  struct schedscope_uthread_local_* local = &schedscope_uthread_mine_;
  struct schedscope_uthread_hot_* hot;
  const int error = errno;
  int cancel = 0;

  if (local->off) return NULL;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  hot = schedscope_uthread_make_();
  local->off = !hot;
  pthread_setcancelstate(cancel, &cancel);
  errno = error;
  return hot;
}

static inline struct schedscope_uthread_hot_* schedscope_uthread_ring_(void) {
  struct schedscope_uthread_hot_* hot = schedscope_uthread_mine_.hot;

  return __builtin_expect(hot->records != NULL, 1) ? hot : schedscope_uthread_open_();
}

static inline void schedscope_uthread_tell_(uint64_t id, uint64_t kind) {
  struct schedscope_uthread_hot_* hot = schedscope_uthread_ring_();

  if (__builtin_expect(hot != NULL, 1))
    schedscope_uthread_put_(hot, schedscope_uthread_stamp_(), id << 8 | kind);
}

/* --- public again --- */

/*
 * How many records the rings hold that are made from now on, rounded up to a power of two;
 * 0: make none. Once, before the first user thread; the environment has the last word.
 */
static inline void schedscope_uthread_set_records(uint32_t records) {
  uint32_t power = records ? SCHEDSCOPE_UTHREAD_MIN_RECORDS : 0;

  while (power < records && power < SCHEDSCOPE_UTHREAD_MAX_RECORDS) power *= 2;
  pthread_once(&schedscope_uthread_once_, schedscope_uthread_init_);
  if (!getenv(SCHEDSCOPE_UTHREAD_ENV))
    __atomic_store_n(&schedscope_uthread_records_, power, __ATOMIC_RELAXED);
}

/* A new id: not 0, unique in the process, below 2^56. Any thread. */
static inline uint64_t schedscope_uthread_new(void) {
  return __atomic_add_fetch(&schedscope_uthread_last_id_, 1, __ATOMIC_RELAXED) & (UINT64_MAX >> 8);
}

/*
 * This thread is a carrier of `runtime` (31 bytes of it are kept) and takes user threads from
 * run queue `run_queue`: carriers that share one give the same number, 2^32 or more so that it
 * is no thread's id; 0: a queue of its own. Makes the ring. A later call changes both, for a
 * reader from its next look on.
 */
static inline void schedscope_uthread_carrier(const char* runtime, uint64_t run_queue) {
  struct schedscope_uthread_local_* local = &schedscope_uthread_mine_;
  struct schedscope_uthread_hot_* hot = local->hot->records ? local->hot : NULL;
  size_t length = strlen(runtime);

  if (length >= sizeof(local->runtime)) length = sizeof(local->runtime) - 1;
  memset(local->runtime, 0, sizeof(local->runtime));
  memcpy(local->runtime, runtime, length);
  local->run_queue = run_queue;
  if (!hot) {
    (void)schedscope_uthread_ring_();
    return;
  }
  __atomic_store_n(&hot->header->carrier_seq, hot->header->carrier_seq + 1, __ATOMIC_RELAXED);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  hot->header->run_queue = run_queue;
  memcpy(hot->header->runtime, local->runtime, sizeof(local->runtime));
  __atomic_store_n(&hot->header->carrier_seq, hot->header->carrier_seq + 1, __ATOMIC_RELEASE);
}

/* This thread runs user thread `id` from here on; 0: the runtime itself. */
static inline void schedscope_uthread_switch(uint64_t id) {
  schedscope_uthread_tell_(id, SCHEDSCOPE_UTHREAD_SWITCH);
  schedscope_uthread_current.current = id;
  schedscope_uthread_current.seq++;
}

/*
 * The same, and what becomes of `from`, which ran until now: `how` is SCHEDSCOPE_UTHREAD_READY,
 * _PARK or _END.
 */
static inline void schedscope_uthread_switch_from(uint64_t from, unsigned how, uint64_t id) {
  struct schedscope_uthread_hot_* hot = schedscope_uthread_ring_();

  if (__builtin_expect(hot != NULL, 1)) {
    const uint64_t stamp = schedscope_uthread_stamp_();

    schedscope_uthread_put_(hot, stamp, from << 8 | how);
    schedscope_uthread_put_(hot, stamp, id << 8 | SCHEDSCOPE_UTHREAD_SWITCH);
  }
  schedscope_uthread_current.current = id;
  schedscope_uthread_current.seq++;
}

/* `id` can run: it is made, or what it waited for has come. */
static inline void schedscope_uthread_ready(uint64_t id) {
  schedscope_uthread_tell_(id, SCHEDSCOPE_UTHREAD_READY);
}

/* `id` waits for something inside the runtime; if it runs, the next switch() leaves it. */
static inline void schedscope_uthread_park(uint64_t id) {
  schedscope_uthread_tell_(id, SCHEDSCOPE_UTHREAD_PARK);
}

/* `id` is over and its number is not used again; if it runs, the next switch() leaves it. */
static inline void schedscope_uthread_end(uint64_t id) {
  schedscope_uthread_tell_(id, SCHEDSCOPE_UTHREAD_END);
}

/* Names `id`: 31 bytes of it are kept. */
static inline void schedscope_uthread_name(uint64_t id, const char* name) {
  struct schedscope_uthread_hot_* hot = schedscope_uthread_ring_();
  const size_t length = strlen(name);
  size_t at;
  uint64_t part;

  if (!hot) return;
  for (part = 0, at = 0; part < SCHEDSCOPE_UTHREAD_NAME_PARTS; part++, at += 8) {
    const size_t end = length < SCHEDSCOPE_UTHREAD_NAME_MAX ? length : SCHEDSCOPE_UTHREAD_NAME_MAX;
    const size_t left = end - at;
    uint64_t bytes = 0;

    memcpy(&bytes, name + at, left < 8 ? left : 8);
    schedscope_uthread_put_(hot, bytes, id << 8 | (SCHEDSCOPE_UTHREAD_NAME + part));
    if (left < 8) return;
  }
}

#ifdef __cplusplus
}
#endif

#endif /* SCHEDSCOPE_UTHREAD_H */
