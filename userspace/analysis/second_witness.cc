// SPDX-License-Identifier: GPL-2.0-only
//
// Two witnesses of the same switches: each that one saw while both were watching, the other has to
// have seen, and to have said the same of.
//
// On a CPU both see the switches in the same order, but either may be the first to stamp one. So
// each has a queue, of those that the other has not told of so far. Where a record meets its match,
// what is before it in both queues was seen by one only.
#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "analysis/passes.h"
#include "base/text.h"

namespace schedscope::analysis {
namespace {

// The stamps of both are of one moment but for the probes' own time: more than a few wait only
// while one of them does not watch.
constexpr std::size_t most_waiting = 4096;

class SecondWitness final : public Pass {
 public:
  explicit SecondWitness(const Setup& setup)
      : Pass(setup), present_(setup.machine.streams.size() == 2) {}

  [[nodiscard]] std::uint64_t wants_records() const override {
    return present_ ? kinds(SCHEDSCOPE_REC_SWITCH, SCHEDSCOPE_REC_FUTEX, SCHEDSCOPE_REC_LOST,
                            SCHEDSCOPE_REC_EXEC)
                    : 0;
  }
  [[nodiscard]] bool wants_whole_capture() const override { return true; }

  void record(RecordView record) override {
    if (record.kind() == SCHEDSCOPE_REC_SWITCH) {
      take(record.as<schedscope_switch>(), false);
    } else if (record.kind() == SCHEDSCOPE_REC_FUTEX && record.cpu() != SCHEDSCOPE_CPU_NONE) {
      at(lanes_, record.cpu()).futex[0] = record.as<schedscope_futex>();
    } else if (record.kind() == SCHEDSCOPE_REC_EXEC) {
      exchanged(record.as<schedscope_exec>());
    } else if (record.kind() == SCHEDSCOPE_REC_LOST) {
      gaps_ = gaps_ || record.as<schedscope_lost>().tid == 0;
    }
  }

  void second_record(RecordView record) override;
  void finish(Report& report) override;

 private:
  // A switch, and the futex that its thread goes to sleep for.
  struct Seen {
    schedscope_switch record;
    std::optional<schedscope_futex> futex;
  };
  struct Lane {
    std::array<std::deque<Seen>, 2> waiting;  // of the first, of the second
    std::array<schedscope_futex, 2> futex{};  // the latest, which its switch follows
    std::uint64_t kept = 0;
    std::optional<schedscope_cpu_stats> stats;
  };

  void take(const schedscope_switch& record, bool second);
  void exchanged(const schedscope_exec& record);
  [[nodiscard]] bool same_thread(std::uint32_t one, std::uint32_t other) const;
  void compare(const Seen& one, const Seen& other);
  [[nodiscard]] bool same_sleep(const Seen& one, const Seen& other) const;
  void miss(const schedscope_switch& record, bool by_second);
  [[nodiscard]] bool conserved() const;
  void tell(Report& report) const;

  const bool present_;
  bool gaps_ = false;
  std::uint64_t from_ns_ = 0, until_ns_ = 0;  // both were watching; 0: not yet known
  std::vector<Lane> lanes_;                   // by CPU
  std::set<std::pair<std::uint32_t, std::uint32_t>> exchanged_;  // tids, the lower one first
  SecondWitnessReport counts_;
  std::optional<schedscope_switch> first_missed_;
};

void SecondWitness::second_record(RecordView record) {
  if (record.cpu() == SCHEDSCOPE_CPU_NONE) {
    // Threads are selected before the first walk, and recorded until after the last.
    if ((record.flags() & SCHEDSCOPE_TASK_BEGIN) != 0 && from_ns_ == 0) {
      from_ns_ = record.time_ns();
    } else if ((record.flags() & SCHEDSCOPE_TASK_END) != 0 && until_ns_ == 0) {
      until_ns_ = record.time_ns();
    }
    return;
  }
  Lane& lane = at(lanes_, record.cpu());
  if (record.kind() == SCHEDSCOPE_REC_CPU_STATS) {
    lane.stats = record.as<schedscope_cpu_stats>();
  } else if (record.kind() == SCHEDSCOPE_REC_LOST) {
    gaps_ = true;
  } else {
    ++lane.kept;
  }
  if (record.kind() == SCHEDSCOPE_REC_EXEC) exchanged(record.as<schedscope_exec>());
  if (record.kind() == SCHEDSCOPE_REC_FUTEX) lane.futex[1] = record.as<schedscope_futex>();
  if (record.kind() == SCHEDSCOPE_REC_SWITCH) take(record.as<schedscope_switch>(), true);
}

// By an execve, which gives a thread another tid at any moment: between the two looks, too.
void SecondWitness::exchanged(const schedscope_exec& record) {
  if (record.tid != record.old_tid) exchanged_.insert(std::minmax(record.tid, record.old_tid));
}

bool SecondWitness::same_thread(std::uint32_t one, std::uint32_t other) const {
  return one == other || exchanged_.contains(std::minmax(one, other));
}

void SecondWitness::take(const schedscope_switch& record, bool second) {
  Lane& lane = at(lanes_, record.rec.cpu);
  auto& own = lane.waiting[second];
  auto& others = lane.waiting[!second];
  const auto same = [&](const Seen& other) {
    return same_thread(other.record.prev_tid, record.prev_tid) &&
           same_thread(other.record.next_tid, record.next_tid) &&
           other.record.prev_switches == record.prev_switches;
  };
  Seen seen{.record = record, .futex = {}};
  const schedscope_futex& futex = lane.futex[second];
  if (futex.tid == record.prev_tid && futex.rec.time_ns == record.rec.time_ns) seen.futex = futex;
  const auto found = std::find_if(others.begin(), others.end(), same);
  if (found == others.end()) {
    own.push_back(seen);
    if (own.size() <= most_waiting) return;
    miss(own.front().record, !second);
    own.pop_front();
    return;
  }
  compare(*found, seen);
  for (auto it = others.begin(); it != found; ++it) miss(it->record, second);
  others.erase(others.begin(), found + 1);
  for (const Seen& passed : own) miss(passed.record, !second);
  own.clear();
}

// Both read the same registers. What the futex's word holds may change between the two looks.
bool SecondWitness::same_sleep(const Seen& one, const Seen& other) const {
  constexpr int sleep = SCHEDSCOPE_SWITCH_SYSCALL | SCHEDSCOPE_SWITCH_COMPAT;
  const int flags = one.record.rec.flags & sleep;
  if (flags != (other.record.rec.flags & sleep)) return false;
  if (flags != 0 && one.record.resched_tid != other.record.resched_tid) return false;
  // Where records were lost, that of the futex may be one of them, and its switch not.
  if (one.futex.has_value() != other.futex.has_value()) return gaps_;
  return !one.futex || (one.futex->word == other.futex->word && one.futex->op == other.futex->op &&
                        one.futex->expected == other.futex->expected);
}

void SecondWitness::compare(const Seen& one_seen, const Seen& other_seen) {
  const schedscope_switch& one = one_seen.record;
  const schedscope_switch& other = other_seen.record;
  // Of what a ring held when recording began, the first part may be missing.
  if (one.rec.time_ns < setup().start_ns || other.rec.time_ns < setup().start_ns) return;
  ++counts_.compared;
  if (one.prev_state != other.prev_state || one.prev_slice_ns != other.prev_slice_ns ||
      one.prev_prio != other.prev_prio || one.next_prio != other.next_prio ||
      one.prev_policy != other.prev_policy || one.next_policy != other.next_policy ||
      !same_sleep(one_seen, other_seen)) {
    ++counts_.other_values;
  }
  constexpr int reasons =
      ~(SCHEDSCOPE_REC_SECOND | SCHEDSCOPE_SWITCH_SYSCALL | SCHEDSCOPE_SWITCH_COMPAT);
  const bool asked = (one.rec.flags & SCHEDSCOPE_SWITCH_WAKEUP) != 0;
  if ((one.rec.flags & reasons) != (other.rec.flags & reasons) ||
      (asked && one.resched_tid != other.resched_tid)) {
    ++counts_.other_ends;
  }
}

// A switch that one of them did not see, if it was watching.
void SecondWitness::miss(const schedscope_switch& record, bool by_second) {
  const std::uint64_t t = record.rec.time_ns;
  if (from_ns_ == 0 || t < from_ns_ || (until_ns_ != 0 && t > until_ns_)) return;
  ++(by_second ? counts_.missed_by_second : counts_.missed_by_first);
  if (!first_missed_) first_missed_ = record;
}

bool SecondWitness::conserved() const {
  return std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) {
    if (!lane.stats) return lane.kept == 0;
    std::uint64_t lost = 0;
    for (const std::uint64_t count : lane.stats->lost) lost += count;
    return lane.stats->produced == lane.kept + lost;
  });
}

void SecondWitness::tell(Report& report) const {
  auto& details = report.agreement_details;
  if (const std::uint64_t missed = counts_.missed_by_first + counts_.missed_by_second) {
    details.push_back(fmt::format(
        "{} switches were seen by one witness only ({} not by the first, {} not by the second), "
        "the first on CPU {} from thread {} to {}.",
        missed, counts_.missed_by_first, counts_.missed_by_second, first_missed_->rec.cpu,
        first_missed_->prev_tid, first_missed_->next_tid));
  }
  if (counts_.other_values != 0) {
    details.push_back(
        fmt::format("Of {} switches the witnesses tell another state, priority or sleep.",
                    counts_.other_values));
  }
  if (counts_.other_ends != 0) {
    details.push_back(fmt::format("Of {} of {} switches the witnesses tell another asker.",
                                  counts_.other_ends, counts_.compared));
  }
}

void SecondWitness::finish(Report& report) {
  if (!present_) return;
  for (const Lane& lane : lanes_) {
    for (const bool second : {false, true}) {
      for (const Seen& seen : lane.waiting[second]) miss(seen.record, !second);
    }
    counts_.kept += lane.kept;
    if (!lane.stats) continue;
    counts_.produced += lane.stats->produced;
    for (const std::uint64_t lost : lane.stats->lost) {
      counts_.lost += lost;
      gaps_ = gaps_ || lost != 0;
    }
  }
  // A gap may be told of after what lies in it: nothing that is counted by then was surely missed.
  if (gaps_) counts_.missed_by_first = counts_.missed_by_second = 0;
  report.second_witness = counts_;
  if (report.records_conserved) *report.records_conserved &= conserved();
  if (gaps_ || from_ns_ == 0 || until_ns_ == 0) return;
  tell(report);
  const bool agree =
      counts_.missed_by_first == 0 && counts_.missed_by_second == 0 && counts_.other_values == 0;
  report.bpf_module_agree = report.bpf_module_agree.value_or(true) && agree;
}

}  // namespace

std::unique_ptr<Pass> make_second_witness(const Setup& setup) {
  return Pass::make<SecondWitness>(setup);
}

}  // namespace schedscope::analysis
