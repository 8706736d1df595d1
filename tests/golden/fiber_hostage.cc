// SPDX-License-Identifier: GPL-2.0-only
// One fiber takes its carrier with it into a read of 100 ms, while ten others are ready.

#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "schedscope/boost_fiber.hpp"

#include "base/fd.h"
#include "fibers.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::size_t ready_count = 10;
constexpr std::uint64_t read_ns = 100'000'000;
constexpr double tolerance = 0.01;
// A machine that is late with the data plays something else, as the workload's clock tells; it
// may try again.
constexpr int attempts = 20;

std::string reader_name(int attempt) {
  return fmt::format("reader-{}", attempt);
}

std::string ready_name(int attempt, std::size_t i) {
  return fmt::format("ready-{}-{}", attempt, i);
}

// When a read began and ended, and what its thread ran meanwhile.
struct Call {
  std::uint64_t begin_ns = 0, end_ns = 0, cpu_ns = 0;
};

// A pipe that gets one byte 100 ms after it was asked for, from a thread of its own.
class Feeder {
 public:
  static Result<std::unique_ptr<Feeder>> start(std::uint32_t cpu) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("make a pipe");
    auto feeder = std::unique_ptr<Feeder>(new Feeder(Fd(ends[0]), Fd(ends[1])));
    // Below the carrier: it runs when the carrier sleeps, and is gone when the carrier wakes.
    auto worker =
        Worker::start("feeder", {.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all - 1},
                      [raw = feeder.get()] { raw->feed(); });
    if (!worker) return std::unexpected(worker.error());
    feeder->worker_.emplace(std::move(*worker));
    return feeder;
  }
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;
  ~Feeder() {
    over_ = true;
    asked_.set(asked_.load() + 1);
  }

  // Reads the byte that comes 100 ms after the call began.
  Call read_late() {
    Call call;
    const std::uint64_t cpu_ns = thread_cpu_ns();
    call.begin_ns = now_ns();
    due_ns_ = call.begin_ns + read_ns;
    asked_.set(asked_.load() + 1);
    char byte = 0;
    (void)!::read(read_.get(), &byte, 1);
    call.end_ns = now_ns();
    call.cpu_ns = thread_cpu_ns() - cpu_ns;
    return call;
  }

 private:
  Feeder(Fd read, Fd write) : read_(std::move(read)), write_(std::move(write)) {}

  void feed() {
    for (std::uint32_t seen = 0;; ++seen) {
      asked_.wait_while(seen);
      if (over_) return;
      sleep_until(due_ns_);
      (void)!::write(write_.get(), "", 1);
    }
  }

  Fd read_, write_;
  Futex asked_;
  std::atomic<std::uint64_t> due_ns_{0};
  std::atomic<bool> over_{false};
  std::optional<Worker> worker_;  // the last: it uses the others
};

Call read_beside_ready(Feeder& feeder, int attempt) {
  Call call;
  std::vector<boost::fibers::fiber> fibers;
  fibers.emplace_back(boost::fibers::launch::post, [&] {
    name_fiber(reader_name(attempt).c_str());
    call = feeder.read_late();
  });
  for (std::size_t i = 0; i < ready_count; ++i) {
    fibers.emplace_back(boost::fibers::launch::post, [attempt, i] {
      name_fiber(ready_name(attempt, i).c_str());
      work(1'000'000);
    });
  }
  for (auto& fiber : fibers) fiber.join();
  return call;
}

// Whether it was 100 ms long, and nearly all of that off the CPU.
bool in_time(const Call& call) {
  constexpr auto off_ns = static_cast<std::uint64_t>(read_ns * tolerance);
  return call.end_ns - call.begin_ns <= read_ns + off_ns && call.cpu_ns <= off_ns;
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  const auto feeder = Feeder::start(cpu);
  if (!feeder) return std::unexpected(feeder.error());
  std::uint32_t tid = 0;
  int attempt = 0;
  Call call;
  auto carrier =
      Worker::start("carrier", {.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all}, [&] {
        tid = this_tid();
        boost::fibers::use_scheduling_algorithm<observed<boost::fibers::algo::round_robin>>();
        do {
          call = read_beside_ready(**feeder, ++attempt);
        } while (!in_time(call) && attempt < attempts);
      });
  if (!carrier) return std::unexpected(carrier.error());
  carrier->join();
  if (!in_time(call)) {
    return fail("play 100 ms of reading",
                fmt::format("each of {} times it was late, or the CPU stood still, the last time "
                            "{} ns long with {} ns on the CPU",
                            attempts, call.end_ns - call.begin_ns, call.cpu_ns),
                "run on a machine that is less busy");
  }
  return nlohmann::json{{"pid", ::getpid()},
                        {"tid", tid},
                        {"attempt", attempt},
                        {"call", {call.begin_ns, call.end_ns}}};
}

// What the trace says of the carrier itself during the read.
struct Away {
  std::uint64_t asleep_ns = 0;
  std::uint64_t waiting_ns = 0;
  // Times that it left its CPU for anything but a sleep. On PREEMPT_RT the read may block on a
  // lock of the pipe's as well.
  std::uint64_t otherwise = 0;
};

Away away_of(const Trial& trial, timeline::ThreadIndex carrier) {
  const std::uint64_t begin = trial.told.at("call")[0], end = trial.told.at("call")[1];
  const auto sum = [&](timeline::State state) {
    std::uint64_t ns = 0;
    for (const auto& span : trial.trace.spans(carrier, state, begin, end)) {
      ns += span.end_ns - span.begin_ns;
    }
    return ns;
  };
  const auto left_for = [&](timeline::State state) {
    std::uint64_t count = 0;
    for (const auto& span : trial.trace.spans(carrier, state, begin, end)) {
      count += trial.trace.slices({carrier}, span.begin_ns, span.begin_ns).size();
    }
    return count;
  };
  return {.asleep_ns = sum(timeline::State::sleep) + sum(timeline::State::block),
          .waiting_ns = sum(timeline::State::wait),
          .otherwise = left_for(timeline::State::wait) + left_for(timeline::State::block)};
}

void judge_reader(const analysis::UserReport& reader, const Away& away, Verdict& verdict) {
  using timeline::UserState;
  const std::uint64_t blocking = ns_of(reader, UserState::blocking);
  verdict.within("reader: blocking ns", static_cast<double>(blocking), read_ns, tolerance);
  verdict.equal("reader: blocking ns, the sleep of its carrier", blocking, away.asleep_ns);
  verdict.equal("reader: preempted ns, the wait of its carrier",
                ns_of(reader, UserState::preempted), away.waiting_ns);
  verdict.equal("reader: hostage ns", ns_of(reader, UserState::hostage), std::uint64_t{0});
  verdict.equal("reader: unknown ns", ns_of(reader, UserState::unknown), std::uint64_t{0});
}

void judge_ready(const Trial& trial, const Away& away, Verdict& verdict) {
  using timeline::UserState;
  const std::uint64_t away_ns = away.asleep_ns + away.waiting_ns;
  for (std::size_t i = 0; i < ready_count; ++i) {
    const std::string name = ready_name(trial.told.at("attempt"), i);
    const auto* fiber = find_fiber(trial, name);
    verdict.holds(name + ": is in the report, once", fiber != nullptr);
    if (fiber == nullptr) continue;
    const std::uint64_t hostage = ns_of(*fiber, UserState::hostage);
    verdict.within(name + ": hostage ns", static_cast<double>(hostage), read_ns, tolerance);
    verdict.equal(name + ": hostage ns, its carrier off the CPU", hostage, away_ns);
    verdict.equal(name + ": blocking ns", ns_of(*fiber, UserState::blocking), std::uint64_t{0});
    verdict.equal(name + ": unknown ns", ns_of(*fiber, UserState::unknown), std::uint64_t{0});
  }
}

// The stretch itself: whose fault it was, and how many stood still.
void judge_stretch(const Trial& trial, timeline::ThreadIndex carrier, timeline::UserIndex reader,
                   const Away& away, Verdict& verdict) {
  std::uint64_t total = 0, not_asleep = 0, not_ten = 0;
  for (const auto& span : trial.trace.hostages()) {
    if (span.carrier != carrier || span.user != reader) continue;
    total += span.total_ns;
    if (span.why != timeline::State::sleep) ++not_asleep;
    if (span.hostages != ready_count) ++not_ten;
  }
  verdict.equal("stretches of hostage by the reader: total ns", total,
                (away.asleep_ns + away.waiting_ns) * ready_count);
  verdict.equal("of them not for a sleep", not_asleep, away.otherwise);
  verdict.equal("of them not with ten hostages", not_ten, std::uint64_t{0});
}

void judge(const Trial& trial, Verdict& verdict) {
  const auto* carrier = find_thread(trial.report, trial.told.at("tid"));
  const auto* reader = find_fiber(trial, reader_name(trial.told.at("attempt")));
  verdict.holds("carrier: is in the report, once", carrier != nullptr);
  verdict.holds("reader: is in the report, once", reader != nullptr);
  if (carrier == nullptr || reader == nullptr) return;
  const std::uint64_t begin = trial.told.at("call")[0], end = trial.told.at("call")[1];
  verdict.note(fmt::format("attempt {}, the read took {} ns by the workload's own clock",
                           trial.told.at("attempt").get<int>(), end - begin));
  const Away away = away_of(trial, carrier->who.index);
  judge_reader(*reader, away, verdict);
  judge_ready(trial, away, verdict);
  judge_stretch(trial, carrier->who.index, reader->who.index, away, verdict);
}

}  // namespace

extern const Schedule fiber_hostage;
const Schedule fiber_hostage{
    .name = "fiber-hostage",
    .answer = "blocking 100 ms for one, hostage 100 ms for ten",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
