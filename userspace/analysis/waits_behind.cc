// SPDX-License-Identifier: GPL-2.0-only
//
// Whom each thread waited behind: who was on the CPU in whose queue it was, and for how long.
//
// Who was on a CPU is kept as it is recorded, since a wait is certain only later, at the waiting
// thread's next switch away; so is in which CPU's queue a thread was. What neither tells stays
// apart: the parts of a wait add up to it.
#include <algorithm>
#include <vector>

#include "analysis/passes.h"
#include "analysis/peers.h"
#include "analysis/queue.h"

namespace schedscope::analysis {
namespace {

// Somebody's uninterrupted time on a CPU; it ends where the next one begins.
struct Stay {
  std::uint64_t begin_ns;
  std::uint32_t tid;             // 0: idle
  timeline::ThreadIndex thread;  // known when it leaves
  bool known;                    // not in a gap
};

// The latest of one CPU, the oldest first; what came before them is forgotten.
class Stays {
 public:
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] Stay& back() { return ring_[(end_ - 1) & mask_]; }
  [[nodiscard]] const Stay& operator[](std::size_t i) const { return ring_[(begin_ + i) & mask_]; }

  void push(const Stay& stay) {
    if (size() > mask_) make_room();
    ++end_;
    back() = stay;
  }
  void pop() { --end_; }

  // The last one that began no later, else the first; a wait is told of soon after it, so from the
  // end, in ever longer steps.
  [[nodiscard]] std::size_t find(std::uint64_t at_ns) const {
    std::size_t low = size(), high = size();
    for (std::size_t step = 1; low != 0; step *= 2) {
      low = low > step ? low - step : 0;
      if ((*this)[low].begin_ns <= at_ns) break;
      high = low;
    }
    // What lies behind `low` and before `high` is not known yet.
    while (high - low > 1) {
      const std::size_t middle = low + (high - low) / 2;
      ((*this)[middle].begin_ns <= at_ns ? low : high) = middle;
    }
    return low;
  }

 private:
  static constexpr std::size_t most = 1 << 16;

  void make_room() {
    if (size() == most) {
      ++begin_;
      return;
    }
    std::vector<Stay> larger(2 * ring_.size());
    for (std::size_t i = 0; i < size(); ++i) larger[i] = (*this)[i];
    end_ = size();
    begin_ = 0;
    ring_ = std::move(larger);
    mask_ = ring_.size() - 1;
  }

  std::vector<Stay> ring_ = std::vector<Stay>(64);  // a power of two of them
  std::size_t mask_ = 63;
  std::size_t begin_ = 0, end_ = 0;
};

class WaitsBehind final : public Pass {
 public:
  explicit WaitsBehind(const Setup& setup) : Pass(setup), all_(setup.machine.filter.empty()) {}

  [[nodiscard]] std::uint64_t wants_records() const override {
    return kinds(SCHEDSCOPE_REC_SWITCH, SCHEDSCOPE_REC_MIGRATE, SCHEDSCOPE_REC_WAKEUP_NEW,
                 SCHEDSCOPE_REC_LOST);
  }
  [[nodiscard]] unsigned wants_spans() const override { return states(timeline::State::wait); }
  void record(RecordView record) override;

  void span(const timeline::Span& span) override {
    Row& row = at(rows_, span.thread);
    row.queue.split(span, [&](std::uint16_t cpu, std::uint64_t begin, std::uint64_t end) {
      split(row, cpu, begin, end);
    });
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
      rows_[i] = {};  // its memory is for the lists to come
    }
  }

 private:
  struct Row {
    Queue queue;
    std::uint64_t unknown_ns = 0;
    Peers peers;
  };

  void switched(const schedscope_switch& record, std::uint64_t t);
  void gap(const schedscope_lost& record, std::uint64_t t);
  void move(timeline::ThreadIndex thread, std::uint64_t t, std::uint32_t cpu);
  void split(Row& row, std::uint16_t cpu, std::uint64_t begin, std::uint64_t end);
  [[nodiscard]] bool is_known(const Stay& stay, timeline::ThreadIndex who) const;

  [[nodiscard]] timeline::ThreadIndex find(std::uint32_t tid) const {
    return tid == 0 ? timeline::no_index : setup().timeline->find(tid);
  }

  const bool all_;  // threads' switches are recorded, and the idle tasks'
  std::uint64_t now_ = 0;
  std::vector<Stays> cpus_;
  std::vector<Row> rows_;
};

[[gnu::flatten]] void WaitsBehind::record(RecordView record) {
  now_ = std::max(now_, record.time_ns());  // as the timeline does
  switch (record.kind()) {
    case SCHEDSCOPE_REC_SWITCH:
      if (record.cpu() != SCHEDSCOPE_CPU_NONE) switched(record.as<schedscope_switch>(), now_);
      break;
    case SCHEDSCOPE_REC_MIGRATE: {
      const auto& moved = record.as<schedscope_migrate>();
      move(find(moved.tid), now_, moved.to_cpu);
      break;
    }
    case SCHEDSCOPE_REC_WAKEUP_NEW: {
      const auto& woken = record.as<schedscope_waking>();
      move(find(woken.tid), now_, woken.target_cpu);
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
  Stays& stays = at(cpus_, record.rec.cpu);
  const timeline::ThreadIndex prev = find(record.prev_tid);
  // Who leaves has been there since the last switch, unless one was missed.
  if (!stays.empty()) {
    Stay& last = stays.back();
    last.known = last.known && last.tid == record.prev_tid;
    last.thread = prev;
  }
  stays.push({.begin_ns = t, .tid = record.next_tid, .thread = timeline::no_index, .known = true});
  move(prev, t, record.rec.cpu);
}

void WaitsBehind::gap(const schedscope_lost& record, std::uint64_t t) {
  if (record.tid != 0) return;  // of user threads
  const std::uint64_t begin = std::min<std::uint64_t>(record.begin_ns, t);
  const auto lose = [&](Stays& stays) {
    while (!stays.empty() && stays.back().begin_ns >= begin) stays.pop();
    if (!stays.empty()) stays.back().thread = find(stays.back().tid);
    stays.push({.begin_ns = begin, .tid = 0, .thread = timeline::no_index, .known = false});
  };
  if (record.rec.cpu != SCHEDSCOPE_CPU_NONE) {
    lose(at(cpus_, record.rec.cpu));
  } else {
    for (auto& stays : cpus_) lose(stays);
  }
}

void WaitsBehind::move(timeline::ThreadIndex thread, std::uint64_t t, std::uint32_t cpu) {
  if (thread != timeline::no_index) at(rows_, thread).queue.move(t, cpu);
}

// Whether nobody else can have been there. Of threads that are not selected not all switches are
// recorded, nor of the idle task then.
bool WaitsBehind::is_known(const Stay& stay, timeline::ThreadIndex who) const {
  if (!stay.known) return false;
  if (stay.tid == 0) return all_;
  return who != timeline::no_index && (all_ || !setup().timeline->threads()[who].bystander);
}

void WaitsBehind::split(Row& row, std::uint16_t cpu, std::uint64_t begin, std::uint64_t end) {
  std::uint64_t left = end - begin;
  if (cpu < cpus_.size()) {
    const Stays& stays = cpus_[cpu];
    const std::size_t size = stays.size();
    std::uint64_t from = begin;
    for (std::size_t i = stays.find(begin); i < size && from < end; ++i) {
      const Stay& stay = stays[i];
      const bool open = i + 1 == size;
      from = std::max(from, stay.begin_ns);
      const std::uint64_t to = open ? end : std::min(end, stays[i + 1].begin_ns);
      if (from >= to) continue;
      const timeline::ThreadIndex who = open ? find(stay.tid) : stay.thread;
      if (is_known(stay, who)) {
        row.peers.count(stay.tid == 0 ? Peers::idle : who) += to - from;
        left -= to - from;
      }
      from = to;
    }
  }
  row.unknown_ns += left;
}

}  // namespace

std::unique_ptr<Pass> make_waits_behind(const Setup& setup) {
  return Pass::make<WaitsBehind>(setup);
}

}  // namespace schedscope::analysis
