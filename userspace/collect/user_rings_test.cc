// SPDX-License-Identifier: GPL-2.0-only
#include "collect/user_rings.h"

#include <fcntl.h>
#include <sched.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "capture/writer.h"

namespace schedscope::collect {
namespace {

using Lines = std::vector<std::string>;

// A record as a line, with names for ids where they were told.
class Reader {
 public:
  void take(std::uint64_t source, RecordView record) {
    EXPECT_GE(source, capture::Writer::carrier_source);
    EXPECT_GE(record.time_ns(), last_[source]) << "a ring's records come in time order";
    last_[source] = record.time_ns();
    switch (record.kind()) {
      case SCHEDSCOPE_REC_LOST: {
        const auto& lost = record.as<schedscope_lost>();
        lines.push_back(fmt::format("lost {} {}", lost.count, lost_cause_name(lost.cause)));
        EXPECT_LE(lost.begin_ns, lost.end_ns);
        EXPECT_EQ(record.time_ns(), lost.end_ns);
        losses.push_back(lost);
        return;
      }
      case SCHEDSCOPE_REC_USER_NAME:
      case SCHEDSCOPE_REC_USER_CARRIER: {
        const auto& name = record.as<schedscope_user_name>();
        lines.push_back(fmt::format("{} {} {}", record_kind_name(record.kind()), name.id,
                                    reinterpret_cast<const char*>(name.name)));
        return;
      }
      default: {
        const auto& user = record.as<schedscope_user>();
        lines.push_back(fmt::format("{} {}", record_kind_name(record.kind()), user.id));
        users.push_back(user);
      }
    }
  }
  [[nodiscard]] UserRings::Take sink() {
    return [this](std::uint64_t source, RecordView record) { take(source, record); };
  }

  Lines lines;
  std::vector<schedscope_user> users;
  std::vector<schedscope_lost> losses;

 private:
  std::map<std::uint64_t, std::uint64_t> last_;
};

// A thread that does what it is told and is a carrier until it goes.
class OtherThread {
 public:
  OtherThread() : thread_([this] { run(); }) {}
  ~OtherThread() {
    step_ = 2;
    step_.notify_one();
    thread_.join();
  }
  void operator()(std::function<void()> body) {
    body_ = std::move(body);
    step_ = 1;
    step_.notify_one();
    while (step_ == 1) std::this_thread::yield();
  }

 private:
  void run() {
    for (;;) {
      step_.wait(0);
      if (step_ == 2) return;
      body_();
      step_ = 0;
    }
  }
  std::function<void()> body_;
  std::atomic<int> step_{0};
  std::thread thread_;
};

UserRings rings_of(std::uint32_t pid) {
  auto rings = UserRings::create([pid](std::uint32_t one) { return one == pid; });
  EXPECT_TRUE(rings.has_value());
  EXPECT_EQ(rings->warning(), "") << "another recorder runs beside the tests";
  return std::move(*rings);
}

UserRings own_rings() {
  return rings_of(static_cast<std::uint32_t>(getpid()));
}

TEST(user_rings, announced_ring) {
  UserRings rings = own_rings();
  Clocks clocks;
  Reader seen;
  std::uint32_t tid = 0;
  const std::uint64_t before = Clocks::now_ns();
  std::thread([&] {
    tid = static_cast<std::uint32_t>(gettid());
    schedscope_uthread_carrier("test", 1ULL << 33);
    schedscope_uthread_name(7, "seven");
    schedscope_uthread_ready(7);
    schedscope_uthread_switch(7);
    schedscope_uthread_park(7);
    schedscope_uthread_switch(0);
    schedscope_uthread_end(7);
  }).join();
  const std::uint64_t after = Clocks::now_ns();
  rings.drain(clocks, seen.sink());
  EXPECT_EQ(seen.lines, (Lines{"user_carrier 8589934592 test", "user_name 7 seven", "user_ready 7",
                               "user_switch 7", "user_park 7", "user_switch 0", "user_end 7"}));
  for (const auto& user : seen.users) {
    EXPECT_GE(user.rec.time_ns + 1000, before);
    EXPECT_LE(user.rec.time_ns, after + 1000);
    EXPECT_EQ(user.tid, tid);
    EXPECT_EQ(user.pid, static_cast<std::uint32_t>(getpid()));
  }
  EXPECT_EQ(rings.stats().rings, 1U);
  EXPECT_EQ(rings.stats().kept, 7U);
  seen.lines.clear();
  rings.drain(clocks, seen.sink());
  EXPECT_EQ(seen.lines, Lines{});
}

TEST(user_rings, what_was_there_before) {
  OtherThread one, two;
  one([] {
    schedscope_uthread_carrier("test", 0);
    schedscope_uthread_name(1, "one");
    for (std::uint64_t id = 1; id <= 5; id++) schedscope_uthread_ready(id);
    schedscope_uthread_switch(1);
    schedscope_uthread_park(1);
    schedscope_uthread_switch(2);  // left as ready below
    schedscope_uthread_park(4);
    schedscope_uthread_end(5);
    schedscope_uthread_switch(3);
  });
  two([] {
    schedscope_uthread_carrier("test", 0);
    schedscope_uthread_switch(4);  // elsewhere by now
  });
  UserRings rings = own_rings();
  Clocks clocks;
  const std::uint64_t start = Clocks::now_ns();
  rings.discover();
  std::uint32_t tid = 0;
  one([&] {
    tid = static_cast<std::uint32_t>(gettid());
    schedscope_uthread_switch(2);
  });
  Reader seen;
  rings.drain(clocks, seen.sink());
  const Lines expected = {fmt::format("user_carrier {} test", tid),
                          "user_name 1 one",
                          "user_park 1",
                          "user_ready 2",
                          "user_ready 3",
                          "user_switch 3",
                          "user_switch 2"};
  for (const std::string& line : expected)
    EXPECT_NE(std::find(seen.lines.begin(), seen.lines.end(), line), seen.lines.end()) << line;
  EXPECT_EQ(std::count(seen.lines.begin(), seen.lines.end(), "user_park 4"), 0);
  EXPECT_EQ(std::count(seen.lines.begin(), seen.lines.end(), "user_switch 4"), 1);
  EXPECT_EQ(std::count(seen.lines.begin(), seen.lines.end(), "user_ready 5"), 0);
  EXPECT_EQ(seen.lines.size(), expected.size() + 3);
  for (const auto& user : seen.users) EXPECT_GE(user.rec.time_ns, start);
  EXPECT_EQ(rings.stats().overrun, 0U);
}

// A writer without mercy: whatever is kept is what was written, and what is missing is counted.
TEST(user_rings, overrun_is_counted_exactly) {
  schedscope_uthread_set_records(1024);
  UserRings rings = own_rings();
  Clocks clocks;
  Reader seen;
  constexpr std::uint64_t count = 2'000'000;
  std::thread writer([] {
    for (std::uint64_t id = 1; id <= count; id++) schedscope_uthread_switch(id);
  });
  std::uint64_t expected = 1, missing = 0, lost = 0;
  std::size_t users = 0, losses = 0;
  const auto check = [&] {
    // What is missing between two records that are kept was counted as lost before the second.
    for (; losses < seen.losses.size(); losses++) lost += seen.losses[losses].count;
    for (; users < seen.users.size(); users++) {
      ASSERT_GE(seen.users[users].id, expected);
      missing += seen.users[users].id - expected;
      expected = seen.users[users].id + 1;
    }
    ASSERT_LE(missing, lost);
  };
  while (seen.users.empty() || seen.users.back().id < count) {
    rings.drain(clocks, seen.sink());
    check();
    if (::testing::Test::HasFatalFailure()) break;
  }
  writer.join();
  schedscope_uthread_set_records(SCHEDSCOPE_UTHREAD_DEFAULT_RECORDS);
  for (const auto& one : seen.losses) {
    EXPECT_EQ(one.cause, static_cast<std::uint32_t>(SCHEDSCOPE_LOST_OVERRUN));
  }
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(missing, lost);
  EXPECT_EQ(seen.users.size() + lost, count);
  EXPECT_EQ(rings.stats().produced(), count + 1);  // and who the carrier is
}

TEST(user_rings, more_announcements_than_the_socket_holds) {
  UserRings rings = own_rings();
  Clocks clocks;
  Reader seen;
  constexpr int count = 600;
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; i++) {
    threads.emplace_back([&] {
      schedscope_uthread_switch(1);
      ready++;
      go.wait(false);
    });
  }
  while (ready < count) std::this_thread::yield();
  rings.drain(clocks, seen.sink());
  EXPECT_EQ(seen.users.size(), static_cast<std::size_t>(count));
  go = true;
  go.notify_all();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(rings.stats().refused, 0U);
}

TEST(user_rings, a_killed_process_is_read_to_its_end) {
  const pid_t child = fork();
  if (child == 0) {
    ::raise(SIGSTOP);
    schedscope_uthread_carrier("test", 0);
    for (std::uint64_t id = 1; id <= 1000; id++) schedscope_uthread_switch(id);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  UserRings rings = rings_of(static_cast<std::uint32_t>(child));
  Clocks clocks;
  Reader seen;
  ::kill(child, SIGCONT);
  ASSERT_EQ(waitpid(child, &status, 0), child);
  rings.drain(clocks, seen.sink());
  EXPECT_EQ(seen.users.size(), 1000U);
  rings.drain(clocks, seen.sink());
  EXPECT_EQ(seen.users.size(), 1000U);
}

// A container: the process knows itself by other numbers than we do.
TEST(user_rings, a_process_in_another_pid_namespace) {
  int go[2], over[2];
  ASSERT_EQ(::pipe(go), 0);
  ASSERT_EQ(::pipe(over), 0);
  char byte = 0;
  const pid_t child = fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWPID) != 0) _exit(77);
    const pid_t inner = fork();
    if (inner == 0) {
      (void)!::read(go[0], &byte, 1);
      schedscope_uthread_switch(getpid() == 1 ? 42 : 43);
      (void)!::write(over[1], "x", 1);
      ::pause();
    }
    (void)!::write(over[1], &inner, sizeof(inner));
    int status = 0;
    ::waitpid(inner, &status, 0);
    _exit(0);
  }
  ::close(over[1]);
  pid_t inner = -1;
  if (::read(over[0], &inner, sizeof(inner)) != sizeof(inner)) {
    ::waitpid(child, nullptr, 0);
    GTEST_SKIP() << "only root may make a pid namespace";
  }
  UserRings rings = rings_of(static_cast<std::uint32_t>(inner));
  Clocks clocks;
  Reader seen;
  ASSERT_EQ(::write(go[1], "x", 1), 1);
  ASSERT_EQ(::read(over[0], &byte, 1), 1);
  rings.drain(clocks, seen.sink());
  ASSERT_EQ(seen.users.size(), 1U);
  EXPECT_EQ(seen.users[0].id, 42U);
  EXPECT_EQ(seen.users[0].pid, static_cast<std::uint32_t>(inner));
  EXPECT_EQ(seen.users[0].tid, static_cast<std::uint32_t>(inner));
  ::kill(inner, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(user_rings, a_second_recorder_is_told) {
  UserRings first = own_rings();
  auto second = UserRings::create();
  ASSERT_TRUE(second.has_value());
  EXPECT_NE(second->warning(), "");
  EXPECT_EQ(second->fd(), -1);
  // It still finds what is there.
  OtherThread carrier;
  carrier([] { schedscope_uthread_switch(1); });
  second->discover();
  EXPECT_EQ(second->stats().rings, 1U);
}

}  // namespace
}  // namespace schedscope::collect
