// SPDX-License-Identifier: GPL-2.0-only
//
// Schedules made by a small scheduler whose every decision is known, against what the timeline
// makes of its records: exact when all of them are there, never wrong when some are lost.
#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "timeline/testing.h"

namespace schedscope::timeline {
namespace {

using namespace testing;

constexpr std::uint16_t cpus = 3;

class Simulation {
 public:
  Simulation(unsigned seed, int steps, bool exact_only) : rng_(seed), exact_only_(exact_only) {
    for (int i = 0; i < steps; ++i) step();
  }

  // Takes out what some CPUs recorded in some stretches of time, and says so as a ring does.
  [[nodiscard]] Script with_losses(int count) {
    struct Loss {
      std::uint16_t cpu;
      std::uint64_t begin, end;
    };
    std::vector<Loss> losses;
    for (int i = 0; i < count; ++i) {
      const std::uint64_t begin = below(t_);
      losses.push_back({static_cast<std::uint16_t>(below(cpus)), begin, begin + below(t_ / 20)});
    }
    std::vector<bool> lost(script.size());
    for (std::size_t i = 0; i < script.size(); ++i) {
      const RecordView r = script[i];
      lost[i] = std::any_of(losses.begin(), losses.end(), [&](const Loss& l) {
        return l.cpu == r.cpu() && l.begin <= r.time_ns() && r.time_ns() <= l.end;
      });
    }
    Script kept;
    std::map<std::uint16_t, std::pair<std::uint64_t, std::uint64_t>> open;  // first, last lost
    const auto mark = [&](std::uint16_t cpu) {
      const auto it = open.find(cpu);
      if (it == open.end()) return;
      pending_.push_back({it->second.second, cpu, it->second.first});
      open.erase(it);
    };
    for (std::size_t i = 0; i < script.size(); ++i) {
      const RecordView r = script[i];
      if (lost[i]) {
        open.try_emplace(r.cpu(), r.time_ns(), r.time_ns()).first->second.second = r.time_ns();
      } else {
        mark(r.cpu());
      }
    }
    for (std::uint16_t c = 0; c < cpus; ++c) mark(c);
    std::sort(pending_.begin(), pending_.end());
    auto next = pending_.begin();
    for (std::size_t i = 0; i < script.size(); ++i) {
      for (; next != pending_.end() && std::get<0>(*next) < script[i].time_ns(); ++next) {
        kept.lost(std::get<1>(*next), std::get<2>(*next), std::get<0>(*next));
      }
      if (!lost[i]) copy(kept, script[i]);
    }
    for (; next != pending_.end(); ++next) {
      kept.lost(std::get<1>(*next), std::get<2>(*next), std::get<0>(*next));
    }
    return kept;
  }

  // Where the thread of that tid truly was from a time on; "" is nowhere.
  [[nodiscard]] bool truly(std::uint32_t tid, const Stretch& s, std::string_view state) const {
    const auto& changes = truth_.at(tid);
    auto it = changes.upper_bound(s.begin);
    if (it == changes.begin()) return false;
    if (std::prev(it)->second != state) return s.begin == s.end;
    return it == changes.end() || it->first >= s.end;
  }

  [[nodiscard]] std::string story(std::uint32_t tid) const {
    std::string text;
    for (const auto& [t, state] : truth_.at(tid)) text += fmt::format(" {} {}", t, state);
    return text;
  }
  [[nodiscard]] std::uint64_t end() const { return t_ + 10; }

  Script script;

 private:
  struct Task {
    std::string_view state = "sleep";
    bool doomed_to_wait = false;  // woken between setting its state and the switch
    int ran = 0;
  };

  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : rng_() % n; }
  bool chance(unsigned percent) { return below(100) < percent; }

  static void copy(Script& to, RecordView r) {
    switch (r.kind()) {
      case SCHEDSCOPE_REC_SWITCH:
        to.add(r.as<schedscope_switch>());
        break;
      case SCHEDSCOPE_REC_FORK:
        to.add(r.as<schedscope_fork>());
        break;
      default:
        to.add(r.as<schedscope_waking>());
        break;
    }
  }

  void becomes(std::uint32_t tid, std::string_view state) {
    tasks_[tid].state = state;
    truth_[tid][t_] = state;
  }

  std::uint32_t any(std::string_view state) {
    std::vector<std::uint32_t> all;
    for (const auto& [tid, task] : tasks_) {
      if (task.state == state) all.push_back(tid);
    }
    return all.empty() ? 0 : all[below(all.size())];
  }

  void step() {
    t_ += 1 + below(4);
    const auto cpu = static_cast<std::uint16_t>(below(cpus));
    const auto action = below(10);
    if (tasks_.size() < 4 || (action == 0 && tasks_.size() < 12)) {
      fork(cpu);
    } else if (action < 6) {
      switch_to(cpu);
    } else if (action < 9) {
      const std::uint32_t tid = chance(50) ? any("sleep") : any("block");
      if (tid == 0) return;
      script.wake(t_, tid, on_[cpu]).rec.cpu = cpu;
      becomes(tid, "wait");
    } else {
      wake_running(cpu);
    }
  }

  void fork(std::uint16_t cpu) {
    std::uint32_t tid = next_tid_;
    if (exact_only_ && !free_.empty() && chance(70)) {
      tid = free_.back();
      free_.pop_back();
    } else {
      ++next_tid_;
    }
    script.fork(t_, on_[cpu], tid);
    const_cast<schedscope_rec&>(script[script.size() - 1].header()).cpu = cpu;
    script.wake_new(t_, tid);
    const_cast<schedscope_rec&>(script[script.size() - 1].header()).cpu = cpu;
    tasks_[tid] = {};
    becomes(tid, "wait");
  }

  void wake_running(std::uint16_t cpu) {
    const std::uint32_t tid = any("run");
    if (tid == 0) return;
    script.wake(t_, tid, on_[cpu]).rec.cpu = cpu;
    // Either it has not set its state yet, or it has: then it switches out as a sleeper and is
    // runnable all the same.
    tasks_[tid].doomed_to_wait = !exact_only_ || chance(50);
  }

  void switch_to(std::uint16_t cpu) {
    const std::uint32_t prev = on_[cpu];
    const std::uint32_t next = chance(70) ? any("wait") : 0;
    if (prev == next) return;
    Why why = sleeps;
    std::string_view then = "";
    if (prev != 0) {
      Task& task = tasks_[prev];
      const auto choice = below(10);
      if (task.doomed_to_wait) {
        why = chance(50) ? sleeps : blocks;
        then = "wait";
      } else if (choice < 3) {
        why = ticked;
        then = "wait";
      } else if (choice < 6) {
        then = "sleep";
      } else if (choice < 8) {
        why = blocks;
        then = "block";
      } else if (choice == 8) {
        why = {.state = 1, .flags = SCHEDSCOPE_SWITCH_PREEMPT};
        then = "wait";
      } else if (++task.ran > 3) {
        why = dies;
      } else {
        then = "sleep";
      }
      task.doomed_to_wait = false;
    }
    script.to(t_, cpu, next, why);
    on_[cpu] = next;
    if (prev != 0) {
      if (then.empty()) {
        truth_[prev][t_] = "";
        tasks_.erase(prev);
        free_.push_back(prev);
      } else {
        becomes(prev, then);
      }
    }
    if (next != 0) becomes(next, "run");
  }

  std::mt19937 rng_;
  // Tids are reused, and wakings consumed in place. Not with losses: a thread that dies and whose
  // tid is born again in one gap, and a lost waking after one that was consumed, leave no trace.
  bool exact_only_;
  std::uint64_t t_ = 1;
  std::uint32_t next_tid_ = 100;
  std::map<std::uint32_t, Task> tasks_;
  std::map<std::uint16_t, std::uint32_t> on_;
  std::vector<std::uint32_t> free_;
  std::map<std::uint32_t, std::map<std::uint64_t, std::string_view>> truth_;
  std::vector<std::tuple<std::uint64_t, std::uint16_t, std::uint64_t>> pending_;
};

struct Checked {
  std::uint64_t known = 0, unknown = 0, wrong = 0;  // ns
  std::string first;                                // that is wrong
};

// Holds every stretch that is not unknown against the truth.
Checked check(const Simulation& truth, const Told& told) {
  Checked sum;
  for (const Thread& thread : told.timeline.threads()) {
    const auto it = told.kept.threads.find(thread.index);
    if (it == told.kept.threads.end()) continue;
    for (const Stretch& s : it->second) {
      const std::uint64_t ns = s.end - s.begin;
      if (s.what == "unknown") {
        sum.unknown += ns;
        continue;
      }
      sum.known += ns;
      const std::string_view state = s.what.ends_with("run") ? "run" : std::string_view(s.what);
      if (truth.truly(thread.tid, s, state)) continue;
      sum.wrong += ns;
      if (sum.first.empty()) {
        sum.first =
            fmt::format("thread {} was not {} {}-{}: {}\nin truth {}", thread.tid, s.what, s.begin,
                        s.end, told.kept.of_thread(thread.index), truth.story(thread.tid));
      }
    }
  }
  return sum;
}

TEST(RandomSchedule, IsExactWhenNothingIsLost) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    const Simulation truth(seed, 400, true);
    const Told told(truth.script, truth.end(), Timeline::Scope::whole_machine, cpus);
    const Checked checked = check(truth, told);
    EXPECT_EQ(checked.wrong, 0U) << checked.first;
    // Only who was woken on the way to sleep and has not been seen again is not known.
    for (const Span& span : told.kept.spans) {
      EXPECT_TRUE(span.state != State::unknown || span.end_ns == truth.end());
    }
    EXPECT_EQ(identities(told, 0, truth.end()), "");
    EXPECT_EQ(told.timeline.discontinuities(), 0U);
    if (HasFailure()) return;
  }
}

// What is given out can only be wrong while the gap that would show it has not been told of:
// gaps of several CPUs that overlap, one of them told of much later. Here they are dense.
TEST(RandomSchedule, IsHardlyEverWrongWhenRecordsAreLost) {
  Checked sum;
  for (unsigned seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE(seed);
    Simulation truth(seed, 400, false);
    const Told told(truth.with_losses(1 + static_cast<int>(seed % 8)), truth.end(),
                    Timeline::Scope::whole_machine, cpus);
    const Checked checked = check(truth, told);
    // One gap alone is never bridged.
    EXPECT_TRUE(seed % 8 != 0 || checked.wrong == 0) << checked.first;
    sum.known += checked.known;
    sum.unknown += checked.unknown;
    sum.wrong += checked.wrong;
    EXPECT_EQ(identities(told, 0, truth.end()), "");
    EXPECT_EQ(told.timeline.discontinuities(), 0U);
    if (HasFailure()) return;
  }
  EXPECT_LT(sum.wrong * 10'000, sum.known);
  EXPECT_LT(sum.unknown * 2, sum.known);  // else all that it says may be "unknown"
  RecordProperty("wrong_ppm", static_cast<int>(sum.wrong * 1'000'000 / sum.known));
}

// Records that vanish without a word: the identities hold, and it shows.
TEST(RandomSchedule, SilentLossShowsAsDiscontinuities) {
  std::uint64_t seen = 0;
  for (unsigned seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    Simulation truth(seed, 400, true);
    std::mt19937 rng(seed);
    for (int i = 0; i < 10; ++i) truth.script.remove(rng() % truth.script.size());
    const Told told(truth.script, truth.end(), Timeline::Scope::whole_machine, cpus);
    EXPECT_EQ(identities(told, 0, truth.end()), "");
    seen += told.timeline.discontinuities() != 0 ? 1 : 0;
    if (HasFailure()) return;
  }
  EXPECT_GT(seen, 95U);
}

}  // namespace
}  // namespace schedscope::timeline
