// SPDX-License-Identifier: GPL-2.0-only
#include "schedscope/uthread.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <set>
#include <thread>

#include "runtimes/ring_text_test.h"

extern "C" {
void switch_from_c(std::uint64_t id);
void* ring_from_c(void);
}

namespace schedscope {
namespace {

using Lines = std::vector<std::string>;

// Each test has a thread, and so a ring, of its own.
template <typename F>
void on_a_thread(F body) {
  std::thread(body).join();
}

const schedscope_uthread_header& header() {
  return *static_cast<const schedscope_uthread_header*>(schedscope_uthread_mine_.ring);
}

TEST(uthread, tells_what_it_was_told) {
  on_a_thread([] {
    schedscope_uthread_carrier("test", 1ULL << 32);
    schedscope_uthread_ready(7);
    schedscope_uthread_switch(7);
    schedscope_uthread_park(7);
    schedscope_uthread_switch(0);
    schedscope_uthread_end(7);
    EXPECT_EQ(test::ring_text(), (Lines{"ready 7", "switch 7", "park 7", "switch 0", "end 7"}));
    EXPECT_STREQ(header().runtime, "test");
    EXPECT_EQ(header().run_queue, 1ULL << 32);
    EXPECT_EQ(header().pid, static_cast<std::uint32_t>(getpid()));
    EXPECT_EQ(header().tid, static_cast<std::uint32_t>(gettid()));
    EXPECT_EQ(header().carrier_seq, 0U);
    schedscope_uthread_carrier("other", 0);
    EXPECT_STREQ(header().runtime, "other");
    EXPECT_EQ(header().carrier_seq, 2U);
  });
}

TEST(uthread, one_ring_for_c_and_cxx) {
  on_a_thread([] {
    schedscope_uthread_switch(1);
    switch_from_c(2);
    EXPECT_EQ(ring_from_c(), schedscope_uthread_mine_.ring);
    EXPECT_EQ(test::ring_text(), (Lines{"switch 1", "switch 2"}));
    EXPECT_EQ(schedscope_uthread_current.current, 2U);
    EXPECT_EQ(schedscope_uthread_current.seq, 2U);
  });
}

TEST(uthread, names_of_every_length) {
  on_a_thread([] {
    const std::string all = "0123456789abcdefghijklmnopqrstuvwxyz";
    for (std::uint64_t length = 0; length <= all.size(); length++) {
      const std::uint64_t before = test::ring_head();
      schedscope_uthread_name(length + 1, all.substr(0, length).c_str());
      EXPECT_EQ(test::ring_head() - before, std::min<std::uint64_t>(length, 31) / 8 + 1);
      schedscope_uthread_ready(length + 1);
      EXPECT_EQ(test::ring_text(before),
                Lines{"ready " + all.substr(0, std::min<std::uint64_t>(length, 31))});
    }
  });
}

TEST(uthread, overwrites_the_oldest) {
  on_a_thread([] {
    const std::uint64_t capacity = (schedscope_uthread_switch(1), header().capacity);
    for (std::uint64_t id = 2; id <= capacity + 3; id++) schedscope_uthread_switch(id);
    const auto* first = reinterpret_cast<const schedscope_uthread_record*>(
        reinterpret_cast<const char*>(&header()) + header().header_bytes);
    EXPECT_EQ(header().head, capacity + 3);
    EXPECT_EQ(first[0].word >> 8, capacity + 1);
    EXPECT_EQ(first[2].word >> 8, capacity + 3);
    EXPECT_EQ(first[3].word >> 8, 4U);
  });
}

TEST(uthread, nobody_can_shrink_or_write_it) {
  on_a_thread([] {
    schedscope_uthread_switch(1);
    const int fd = schedscope_uthread_mine_.fd;
    EXPECT_NE(ftruncate(fd, 0), 0);
    EXPECT_NE(ftruncate(fd, 1 << 30), 0);
    EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    EXPECT_NE(pwrite(fd, "x", 1, 0), 1);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  });
}

TEST(uthread, a_thread_leaves_nothing_behind) {
  int fd = -1;
  on_a_thread([&] {
    schedscope_uthread_switch(1);
    fd = schedscope_uthread_mine_.fd;
  });
  EXPECT_GE(fd, 0);
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST(uthread, does_not_close_what_is_not_its_own) {
  on_a_thread([] {
    schedscope_uthread_switch(1);
    const int fd = schedscope_uthread_mine_.fd;
    ASSERT_EQ(dup2(STDERR_FILENO, fd), fd);  // as a daemon that closes all and opens anew
    std::thread([] {}).join();
    schedscope_uthread_exit_(pthread_getspecific(schedscope_uthread_key_));
    pthread_setspecific(schedscope_uthread_key_, nullptr);
    EXPECT_NE(fcntl(fd, F_GETFD), -1);
    close(fd);
    schedscope_uthread_switch(2);  // after the end of the ring: nothing, quietly
    EXPECT_EQ(test::ring_text(), Lines{"no ring"});
  });
}

// Runs `body` in a child made by `make`; 0 when all went well.
template <typename Fork, typename F>
int in_child(Fork make, F body) {
  const auto child = static_cast<pid_t>(make());
  if (child == 0) _exit(body() ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

TEST(uthread, a_child_writes_rings_of_its_own) {
  on_a_thread([] {
    schedscope_uthread_carrier("test", 0);
    schedscope_uthread_switch(5);
    const void* const parents = schedscope_uthread_mine_.ring;
    const auto child = [] {
      schedscope_uthread_switch(6);
      return header().pid == static_cast<std::uint32_t>(getpid()) &&
             std::string(header().runtime) == "test" &&
             test::ring_text() == Lines{"switch 5", "switch 6"};
    };
    EXPECT_EQ(in_child([] { return fork(); }, child), 0);
    // Without fork's handlers.
    EXPECT_EQ(in_child([] { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }, child), 0);
    EXPECT_EQ(schedscope_uthread_mine_.ring, parents);
    EXPECT_EQ(test::ring_text(), Lines{"switch 5"});
  });
}

TEST(uthread, is_quiet_without_descriptors) {
  const auto child = [] {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_NOFILE, &none);
    errno = 77;
    schedscope_uthread_carrier("test", 0);
    schedscope_uthread_name(1, "one");
    schedscope_uthread_switch(1);
    return errno == 77 && schedscope_uthread_mine_.ring == nullptr &&
           schedscope_uthread_current.current == 1;
  };
  EXPECT_EQ(in_child([] { return fork(); }, child), 0);
}

TEST(uthread, takes_its_size_from_the_environment) {
  const auto child = [](const char* wish, std::uint32_t capacity) {
    return [=] {
      setenv(SCHEDSCOPE_UTHREAD_ENV, wish, 1);
      schedscope_uthread_init_();  // what the first ring does once
      schedscope_uthread_set_records(1 << 20);
      schedscope_uthread_switch(1);
      return capacity == 0 ? schedscope_uthread_mine_.ring == nullptr
                           : header().capacity == capacity;
    };
  };
  EXPECT_EQ(in_child([] { return fork(); }, child("1000", 1024)), 0);
  EXPECT_EQ(in_child([] { return fork(); }, child("1", 256)), 0);
  EXPECT_EQ(in_child([] { return fork(); }, child("0", 0)), 0);
  EXPECT_EQ(in_child([] { return fork(); }, child("99999999999999999999", 1 << 22)), 0);
}

TEST(uthread, ids_are_unique) {
  std::vector<std::uint64_t> mine, others;
  std::thread other([&] {
    for (int i = 0; i < 10000; i++) others.push_back(schedscope_uthread_new());
  });
  for (int i = 0; i < 10000; i++) mine.push_back(schedscope_uthread_new());
  other.join();
  std::set<std::uint64_t> all(mine.begin(), mine.end());
  all.insert(others.begin(), others.end());
  EXPECT_EQ(all.size(), 20000U);
  EXPECT_EQ(all.count(0), 0U);
}

}  // namespace
}  // namespace schedscope
