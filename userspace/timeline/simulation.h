// SPDX-License-Identifier: GPL-2.0-only
//
// For tests: schedules made by a small scheduler whose every decision is known.
#pragma once

#include <algorithm>
#include <map>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "timeline/testing.h"

namespace schedscope::timeline::testing {

class Simulation {
 public:
  static constexpr std::uint16_t cpus = 3;

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

}  // namespace schedscope::timeline::testing
