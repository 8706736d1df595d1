// SPDX-License-Identifier: GPL-2.0-only
//
// Records that make no sense: a capture's bytes are anybody's. Whatever they say, nothing breaks
// and the identities hold.
#include <random>

#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "timeline/testing.h"

namespace schedscope::timeline {
namespace {

using namespace testing;

class Nonsense {
 public:
  explicit Nonsense(unsigned seed) : rng_(seed) {
    for (int i = 0; i < 600; ++i) add();
  }
  Script script;
  std::uint64_t latest = 0;

 private:
  std::uint64_t below(std::uint64_t n) { return rng_() % n; }
  std::uint32_t tid() { return static_cast<std::uint32_t>(below(6)); }
  // Mostly forward, sometimes far back, rarely far ahead.
  std::uint64_t time() {
    t_ += below(20);
    if (below(20) == 0) return t_ - below(t_ + 1);
    if (below(300) == 0) t_ += 5000;
    latest = std::max(latest, t_);
    return t_;
  }

  template <typename T>
  T record(std::uint16_t kind) {
    return make_record<T>(
        kind, time(), below(15) == 0 ? SCHEDSCOPE_CPU_NONE : static_cast<std::uint16_t>(below(3)),
        static_cast<std::uint16_t>(below(64)));
  }

  void add_switch() {
    auto r = record<schedscope_switch>(SCHEDSCOPE_REC_SWITCH);
    r.prev_tid = tid();
    r.next_tid = tid();
    constexpr std::uint32_t states[] = {0, 0, 1, 2, 4, 0x80, 0x402, 0xffffffff};
    r.prev_state = states[below(8)];
    r.prev_switches = static_cast<std::uint32_t>(below(4));
    r.next_prio = static_cast<std::int16_t>(below(200) - 20);
    r.prev_prio = static_cast<std::int16_t>(below(200) - 20);
    r.resched_tid = tid();
    script.add(r);
  }

  void add_task() {
    auto r = record<schedscope_task>(SCHEDSCOPE_REC_TASK);
    r.tid = tid();
    r.start_ns = below(3);
    r.state = static_cast<std::uint32_t>(below(4));
    r.task_cpu = below(10) == 0 ? 0xffffffff : static_cast<std::uint32_t>(below(3));
    r.switches = below(4);
    r.cgroup_id = below(3);
    script.add(r);
  }

  void add_lost() {
    auto r = record<schedscope_lost>(SCHEDSCOPE_REC_LOST);
    r.begin_ns = below(3) == 0 ? rng_() : below(t_ + 10);
    r.end_ns = r.rec.time_ns;
    r.cause = static_cast<std::uint32_t>(below(7));
    r.tid = below(2) == 0 ? 0 : tid();
    script.add(r);
  }

  void add_user(std::uint16_t kind) {
    auto r = record<schedscope_user>(kind);
    r.tid = tid();
    r.pid = static_cast<std::uint32_t>(below(2));
    r.id = below(5);
    script.add(r);
  }

  void add() {
    const auto kind = static_cast<std::uint16_t>(1 + below(SCHEDSCOPE_REC_MAX));
    switch (kind) {
      case SCHEDSCOPE_REC_WAKING:
      case SCHEDSCOPE_REC_WAKEUP_NEW: {
        auto r = record<schedscope_waking>(kind);
        r.tid = tid();
        r.waker_tid = tid();
        script.add(r);
        break;
      }
      case SCHEDSCOPE_REC_FORK: {
        auto r = record<schedscope_fork>(kind);
        r.tid = tid();
        r.parent_tid = tid();
        script.add(r);
        break;
      }
      case SCHEDSCOPE_REC_EXEC: {
        auto r = record<schedscope_exec>(kind);
        r.tid = tid();
        r.old_tid = tid();
        script.add(r);
        break;
      }
      case SCHEDSCOPE_REC_EXIT: {
        auto r = record<schedscope_exit>(kind);
        r.tid = tid();
        r.switches = rng_();
        script.add(r);
        break;
      }
      case SCHEDSCOPE_REC_MIGRATE: {
        auto r = record<schedscope_migrate>(kind);
        r.tid = tid();
        script.add(r);
        break;
      }
      case SCHEDSCOPE_REC_TASK:
        add_task();
        break;
      case SCHEDSCOPE_REC_LOST:
        add_lost();
        break;
      case SCHEDSCOPE_REC_CPU_STATS: {
        auto r = record<schedscope_cpu_stats>(kind);
        r.produced = rng_();
        script.add(r);
        break;
      }
      case SCHEDSCOPE_REC_ACCOUNT: {
        auto r = record<schedscope_account>(kind);
        r.tid = tid();
        r.start_ns = below(3);
        r.slices = below(9);
        r.switches = rng_();
        script.add(r);
        break;
      }
      case SCHEDSCOPE_REC_USER_NAME:
      case SCHEDSCOPE_REC_USER_CARRIER: {
        auto r = record<schedscope_user_name>(kind);
        r.tid = tid();
        r.pid = static_cast<std::uint32_t>(below(2));
        r.id = below(5);
        for (auto& c : r.name) c = static_cast<std::uint8_t>(rng_());
        script.add(r);
        break;
      }
      default:
        if (kind > SCHEDSCOPE_REC_USER_SWITCH && kind < SCHEDSCOPE_REC_USER_NAME) {
          add_user(kind);
        } else {
          below(2) == 0 ? add_switch() : add_user(SCHEDSCOPE_REC_USER_SWITCH);
        }
    }
    for (int i = 0; i < 2; ++i) add_switch();
  }

  std::mt19937_64 rng_;
  std::uint64_t t_ = 100;
};

TEST(Hostile, IdentitiesHoldWhateverTheRecordsSay) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    const Nonsense nonsense(seed);
    const auto scope = seed % 2 == 0 ? Timeline::Scope::whole_machine : Timeline::Scope::selected;
    const Told told(nonsense.script, nonsense.latest + 1, scope, 3, 100);
    EXPECT_EQ(identities(told, 100, told.timeline.end_ns()), "");

    capture::Machine machine;
    machine.start_ns = 100;
    machine.cpus = 3;
    const std::uint64_t from = seed % 3 == 0 ? nonsense.latest / 3 : 0;
    const std::uint64_t to = seed % 3 == 0 ? nonsense.latest / 2 : 0;
    analysis::Analysis analysis(machine, {from, to});
    for (std::size_t i = 0; i < nonsense.script.size(); ++i) analysis.add(nonsense.script[i]);
    const analysis::Report report = analysis.finish(nonsense.latest + 1);
    EXPECT_EQ(report.threads_conserved, true);
    EXPECT_EQ(report.cpus_conserved, true);
    EXPECT_EQ(report.user_threads_conserved, true);
    EXPECT_NE(report.cgroups_conserved, false);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace schedscope::timeline
