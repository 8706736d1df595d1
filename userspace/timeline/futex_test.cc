// SPDX-License-Identifier: GPL-2.0-only
#include "timeline/futex.h"

#include <linux/futex.h>

#include <gtest/gtest.h>

#include "timeline/testing.h"

namespace schedscope::timeline {
namespace {

using namespace testing;

schedscope_futex plain_mutex() {
  Script s;
  return s.futex(0, 0, 7, 0x1000, 8);
}

TEST(FutexOwner, OfAPlainMutex) {
  EXPECT_EQ(owner_tid(plain_mutex()), 8U);
  auto timed = plain_mutex();
  timed.op = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME;
  timed.type = 0x80 | 3;  // shared, adaptive
  EXPECT_EQ(owner_tid(timed), 8U);
}

TEST(FutexOwner, OnlyOfWhatLooksLikeAMutex) {
  const auto unlike = [](auto change) {
    auto record = plain_mutex();
    change(record);
    return owner_tid(record);
  };
  EXPECT_EQ(unlike([](auto& r) { r.expected = 0; }), 0U);  // a condition variable
  EXPECT_EQ(unlike([](auto& r) { r.value = 1; }), 0U);     // taken by another since
  EXPECT_EQ(unlike([](auto& r) { r.users = 0; }), 0U);
  EXPECT_EQ(unlike([](auto& r) { r.type = 0x40; }), 0U);
  EXPECT_EQ(unlike([](auto& r) { r.op = FUTEX_WAIT_REQUEUE_PI; }), 0U);
  EXPECT_EQ(unlike([](auto& r) { r.rec.flags = SCHEDSCOPE_FUTEX_VALUE; }), 0U);
}

TEST(FutexOwner, InTheWord) {
  auto pi = plain_mutex();
  pi.op = FUTEX_LOCK_PI_PRIVATE;
  pi.value = 9 | FUTEX_WAITERS;
  EXPECT_EQ(owner_tid(pi), 9U);
  pi.rec.flags = 0;
  EXPECT_EQ(owner_tid(pi), 0U);

  auto robust = plain_mutex();
  robust.type = 0x10;
  robust.expected = robust.value = 8 | FUTEX_WAITERS;
  EXPECT_EQ(owner_tid(robust), 8U);
  robust.owner = 9;
  EXPECT_EQ(owner_tid(robust), 0U);
}

// Of thread 7's sleep the timeline tells the call and the futex.
const Span* sleep_of(const Told& told) {
  for (const Span& span : told.kept.spans) {
    if (told.timeline.threads()[span.thread].tid == 7 && span.state == State::sleep) return &span;
  }
  return nullptr;
}

struct Waits final : Sink {
  void span(const Span& span) override {
    if (span.futex != nullptr) futex = *span.futex;
  }
  Futex futex;
};

Futex futex_of(const Script& s) {
  Waits waits;
  Timeline timeline(0, 1, std::vector<Sink*>{&waits});
  for (std::size_t i = 0; i < s.size(); ++i) timeline.add(s[i]);
  timeline.finish(100);
  return waits.futex;
}

Script owned_by(std::uint32_t owner, std::uint32_t owner_pid) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1).pid = 7;
  s.task(0, 8, SCHEDSCOPE_TASK_BEGIN, 1).pid = owner_pid;
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.futex(20, 0, 7, 0x1000, owner);
  s.to(20, 0, 0, sleeps_in(202));
  s.wake(50, 7);
  s.to(60, 0, 7);
  s.to(70, 0, 0, sleeps);
  return s;
}

TEST(FutexTimeline, CallAndOwner) {
  const Script s = owned_by(8, 7);
  const Told told(s, 100);
  EXPECT_EQ(told.thread(7),
            "sleep 0-10, run 10-20 blocked, sleep 20-50, wait 50-60, "
            "run 60-70 blocked, sleep 70-100");
  const Futex futex = futex_of(s);
  EXPECT_EQ(futex.word, 0x1000U);
  ASSERT_NE(futex.owner, no_index);
  EXPECT_EQ(told.timeline.threads()[futex.owner].tid, 8U);
  std::vector<std::uint32_t> calls;
  for (const Span& span : told.kept.spans) {
    if (span.state == State::sleep && span.begin_ns >= 20) calls.push_back(span.syscall.number);
  }
  EXPECT_EQ(calls, (std::vector<std::uint32_t>{202, Syscall::none}));
}

TEST(FutexTimeline, OwnerOnlyOfTheSameProcessAndAlive) {
  EXPECT_EQ(futex_of(owned_by(8, 8)).owner, no_index);  // another process
  EXPECT_EQ(futex_of(owned_by(9, 7)).owner, no_index);  // nobody
  EXPECT_EQ(futex_of(owned_by(7, 7)).owner, no_index);  // itself
  EXPECT_EQ(futex_of(owned_by(9, 7)).word, 0x1000U);
}

// Thread 7 is 1 in its pid namespace, and its process has another thread there, 8, which is 2.
TEST(FutexTimeline, OwnerInAPidNamespace) {
  const auto owned = [](std::uint32_t owner, bool exits, std::uint32_t other_pid = 7) {
    Script s;
    const auto in_namespace = [&](std::uint32_t tid, std::uint32_t ns_tid) {
      auto record = make_record<schedscope_namespace>(SCHEDSCOPE_REC_NAMESPACE, 0);
      record.tid = tid;
      record.ns_tid = ns_tid;
      record.ns_id = 4026532501;
      s.add(record);
    };
    s.task(0, 2, SCHEDSCOPE_TASK_BEGIN, 1).pid = 7;  // of the first namespace
    s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1).pid = 7;
    in_namespace(7, 1);
    s.task(0, 8, SCHEDSCOPE_TASK_BEGIN, 1).pid = other_pid;
    in_namespace(8, 2);
    s.wake(2, 8);
    s.to(2, 0, 8);
    s.to(5, 0, 0, exits ? dies : sleeps);
    s.wake(10, 7);
    s.to(10, 0, 7);
    s.futex(20, 0, 7, 0x1000, owner).rec.flags |= SCHEDSCOPE_FUTEX_NAMESPACE;
    s.to(20, 0, 0, sleeps_in(202));
    s.wake(50, 7);
    s.to(60, 0, 7);
    s.to(70, 0, 0, sleeps);
    const Futex futex = futex_of(s);
    EXPECT_EQ(futex.word, 0x1000U);
    return futex.owner == no_index ? 0 : Told(s, 100).timeline.threads()[futex.owner].tid;
  };
  EXPECT_EQ(owned(2, false), 8U);
  EXPECT_EQ(owned(2, true), 0U);
  EXPECT_EQ(owned(2, false, 8), 0U);  // of another process
  EXPECT_EQ(owned(1, false), 0U);     // itself
  EXPECT_EQ(owned(8, false), 0U);     // its tid elsewhere
}

// A futex whose switch was lost is not that of a later one.
TEST(FutexTimeline, OnlyOfTheSwitchBehindIt) {
  Script s;
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.futex(15, 0, 7, 0x1000, 8);
  s.to(20, 0, 0, sleeps_in(0));
  s.wake(50, 7);
  s.to(60, 0, 7);
  s.to(70, 0, 0, sleeps);
  EXPECT_EQ(futex_of(s).word, 0U);
  EXPECT_EQ(sleep_of(Told(s, 100))->syscall.number, 0U);
}

}  // namespace
}  // namespace schedscope::timeline
