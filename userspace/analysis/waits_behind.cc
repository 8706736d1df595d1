// SPDX-License-Identifier: GPL-2.0-only
//
// Whom each thread waited behind: who was on the CPU in whose queue it was, and for how long.
//
// Who was on a CPU is kept as it is recorded, since a wait is certain only later, at the waiting
// thread's next switch away; so is in which CPU's queue a thread was. What neither tells stays
// apart: the parts of a wait add up to it.
#include <algorithm>
#include <deque>
#include <vector>

#include "analysis/passes.h"
#include "analysis/peers.h"

namespace schedscope::analysis {
namespace {

// Of one CPU, what came before them is forgotten.
constexpr std::size_t most_stays = 1 << 16;
constexpr std::size_t most_moves = 16;

class WaitsBehind final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] std::uint64_t wants_records() const override {
    return kinds(SCHEDSCOPE_REC_SWITCH, SCHEDSCOPE_REC_MIGRATE, SCHEDSCOPE_REC_WAKEUP_NEW,
                 SCHEDSCOPE_REC_LOST);
  }
  [[nodiscard]] unsigned wants_spans() const override { return states(timeline::State::wait); }
  void record(RecordView record) override;

  void span(const timeline::Span& span) override {
    Row& row = at(rows_, span.thread);
    std::uint64_t begin = span.begin_ns;
    // When moves have been forgotten, where it was before the first is not known.
    std::uint16_t cpu = row.moves.size() < most_moves ? span.cpu : SCHEDSCOPE_CPU_NONE;
    for (const Move& move : row.moves) {
      if (move.at_ns >= span.end_ns) break;
      if (move.at_ns > begin) {
        split(row, cpu, begin, move.at_ns);
        begin = move.at_ns;
      }
      cpu = move.cpu;
    }
    split(row, cpu, begin, span.end_ns);
  }

  void finish(Report& report) override {
    rows_.resize(report.threads.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      report.threads[i].waited_behind =
          rows_[i].peers.list(setup().timeline->threads(), Peers::By::time);
      for (Peer& peer : report.threads[i].waited_behind) {
        if (peer.thread == timeline::no_index && peer.comm == "(interrupt)") peer.comm = "(idle)";
      }
      report.threads[i].waited_behind_unknown_ns = rows_[i].unknown_ns;
    }
  }

 private:
  // Somebody's uninterrupted time on a CPU; it ends where the next one begins.
  struct Stay {
    std::uint64_t begin_ns;
    std::uint32_t tid;             // 0: idle
    timeline::ThreadIndex thread;  // known when it leaves
    bool known;                    // not in a gap
  };
  struct Move {
    std::uint64_t at_ns;
    std::uint16_t cpu;
  };
  struct Row {
    Peers peers;
    std::uint64_t unknown_ns = 0;
    std::vector<Move> moves;  // to which CPU's queue it went, the last ones
  };

  void switched(const schedscope_switch& record, std::uint64_t t);
  void gap(const schedscope_lost& record, std::uint64_t t);
  void move(std::uint32_t tid, std::uint64_t t, std::uint32_t cpu);
  void split(Row& row, std::uint16_t cpu, std::uint64_t begin, std::uint64_t end);
  [[nodiscard]] bool is_known(const Stay& stay, timeline::ThreadIndex who) const;

  [[nodiscard]] timeline::ThreadIndex find(std::uint32_t tid) const {
    return tid == 0 ? timeline::no_index : setup().timeline->find(tid);
  }
  static void add(std::deque<Stay>& stays, const Stay& stay) {
    if (stays.size() == most_stays) stays.pop_front();
    stays.push_back(stay);
  }

  std::uint64_t now_ = 0;
  std::vector<std::deque<Stay>> cpus_;
  std::vector<Row> rows_;
};

void WaitsBehind::record(RecordView record) {
  now_ = std::max(now_, record.time_ns());  // as the timeline does
  switch (record.kind()) {
    case SCHEDSCOPE_REC_SWITCH:
      if (record.cpu() != SCHEDSCOPE_CPU_NONE) switched(record.as<schedscope_switch>(), now_);
      break;
    case SCHEDSCOPE_REC_MIGRATE: {
      const auto& moved = record.as<schedscope_migrate>();
      move(moved.tid, now_, moved.to_cpu);
      break;
    }
    case SCHEDSCOPE_REC_WAKEUP_NEW: {
      const auto& woken = record.as<schedscope_waking>();
      move(woken.tid, now_, woken.target_cpu);
      break;
    }
    case SCHEDSCOPE_REC_LOST:
      gap(record.as<schedscope_lost>(), now_);
      break;
    default:
      break;
  }
}

void WaitsBehind::switched(const schedscope_switch& record, std::uint64_t t) {
  std::deque<Stay>& stays = at(cpus_, record.rec.cpu);
  const timeline::ThreadIndex prev = find(record.prev_tid);
  // Who leaves has been there since the last switch, unless one was missed.
  if (!stays.empty()) {
    Stay& last = stays.back();
    last.known = last.known && last.tid == record.prev_tid;
    last.thread = prev;
  }
  add(stays, {.begin_ns = t, .tid = record.next_tid, .thread = timeline::no_index, .known = true});
  if (prev != timeline::no_index) move(record.prev_tid, t, record.rec.cpu);
}

void WaitsBehind::gap(const schedscope_lost& record, std::uint64_t t) {
  if (record.tid != 0) return;  // of user threads
  const std::uint64_t begin = std::min<std::uint64_t>(record.begin_ns, t);
  const auto lose = [&](std::deque<Stay>& stays) {
    while (!stays.empty() && stays.back().begin_ns >= begin) stays.pop_back();
    if (!stays.empty()) stays.back().thread = find(stays.back().tid);
    add(stays, {.begin_ns = begin, .tid = 0, .thread = timeline::no_index, .known = false});
  };
  if (record.rec.cpu != SCHEDSCOPE_CPU_NONE) {
    lose(at(cpus_, record.rec.cpu));
  } else {
    for (auto& stays : cpus_) lose(stays);
  }
}

void WaitsBehind::move(std::uint32_t tid, std::uint64_t t, std::uint32_t cpu) {
  const timeline::ThreadIndex thread = find(tid);
  if (thread == timeline::no_index || cpu >= SCHEDSCOPE_CPU_NONE) return;
  std::vector<Move>& moves = at(rows_, thread).moves;
  if (!moves.empty() && moves.back().cpu == cpu) return;  // most stay where they are
  if (moves.size() == most_moves) moves.erase(moves.begin());
  moves.push_back({.at_ns = t, .cpu = static_cast<std::uint16_t>(cpu)});
}

// Whether nobody else can have been there. Of threads that are not selected not all switches are
// recorded, nor of the idle task then.
bool WaitsBehind::is_known(const Stay& stay, timeline::ThreadIndex who) const {
  if (!stay.known) return false;
  const bool all = setup().machine.filter.empty();
  if (stay.tid == 0) return all;
  return who != timeline::no_index && (all || !setup().timeline->threads()[who].bystander);
}

void WaitsBehind::split(Row& row, std::uint16_t cpu, std::uint64_t begin, std::uint64_t end) {
  std::uint64_t left = end - begin;
  if (cpu < cpus_.size()) {
    const std::deque<Stay>& stays = cpus_[cpu];
    // From the end: a wait is told of soon after it, and what was before it is long.
    auto stay = stays.end();
    while (stay != stays.begin() && (--stay)->begin_ns > begin) continue;
    for (; stay != stays.end() && stay->begin_ns < end; ++stay) {
      const bool open = stay + 1 == stays.end();
      const std::uint64_t from = std::max(begin, stay->begin_ns);
      const std::uint64_t to = open ? end : std::min(end, (stay + 1)->begin_ns);
      const timeline::ThreadIndex who = open ? find(stay->tid) : stay->thread;
      if (from >= to || !is_known(*stay, who)) continue;
      row.peers.count(stay->tid == 0 ? Peers::idle : who) += to - from;
      left -= to - from;
    }
  }
  row.unknown_ns += left;
}

}  // namespace

std::unique_ptr<Pass> make_waits_behind(const Setup& setup) {
  return Pass::make<WaitsBehind>(setup);
}

}  // namespace schedscope::analysis
