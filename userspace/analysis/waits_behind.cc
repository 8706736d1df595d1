// SPDX-License-Identifier: GPL-2.0-only
//
// Whom each thread waited behind: who was on the CPU in whose queue it was, and for how long.
//
// Who was on a CPU is kept as it is recorded, since a wait is certain only later, at the waiting
// thread's next switch away; so is in which CPU's queue a thread was. What neither tells stays
// apart: the parts of a wait add up to it.
#include <algorithm>
#include <optional>
#include <vector>

#include "analysis/passes.h"
#include "analysis/peers.h"
#include "analysis/queue.h"
#include "analysis/stays.h"

namespace schedscope::analysis {
namespace {

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
  [[nodiscard]] std::uint64_t behind_block(Row& row, Stays& stays, std::size_t i);
  [[nodiscard]] std::optional<timeline::ThreadIndex> who_had(const Stay& stay,
                                                             timeline::ThreadIndex thread) const;

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

// Who was there, if nobody else can have been. Of threads that are not selected not all switches
// are recorded, nor of the idle task then.
std::optional<timeline::ThreadIndex> WaitsBehind::who_had(const Stay& stay,
                                                          timeline::ThreadIndex thread) const {
  if (!stay.known) return std::nullopt;
  if (stay.tid == 0) return all_ ? std::optional(Peers::idle) : std::nullopt;
  const bool told =
      thread != timeline::no_index && (all_ || !setup().timeline->threads()[thread].bystander);
  return told ? std::optional(thread) : std::nullopt;
}

void WaitsBehind::split(Row& row, std::uint16_t cpu, std::uint64_t begin, std::uint64_t end) {
  std::uint64_t left = end - begin;
  if (cpu < cpus_.size()) {
    Stays& stays = cpus_[cpu];
    const std::size_t size = stays.size();
    std::uint64_t from = begin;
    for (std::size_t i = stays.find(begin); i < size && from < end;) {
      const Stay& stay = stays[i];
      if (stay.begin_ns >= from && stays.is_block(i) && stays[i + Stays::block].begin_ns <= end) {
        from = stays[i + Stays::block].begin_ns;
        left -= behind_block(row, stays, i);
        i += Stays::block;
        continue;
      }
      const bool open = ++i == size;
      from = std::max(from, stay.begin_ns);
      const std::uint64_t to = open ? end : std::min(end, stays[i].begin_ns);
      if (from >= to) continue;
      if (const auto who = who_had(stay, open ? find(stay.tid) : stay.thread)) {
        row.peers.count(*who) += to - from;
        left -= to - from;
      }
      from = to;
    }
  }
  row.unknown_ns += left;
}

// A whole block of stays in a wait; returns how much of it is known.
std::uint64_t WaitsBehind::behind_block(Row& row, Stays& stays, std::size_t i) {
  const StaysSum& sum = stays.sum(i, [&](const Stay& stay) { return who_had(stay, stay.thread); });
  std::uint64_t known = sum.others.ns;
  row.peers.count_others(sum.others.count, sum.others.ns);
  for (const auto& [who, count, ns] : sum.first) {
    if (count == 0) break;
    known += ns;
    row.peers.count(who, count) += ns;
  }
  return known;
}

}  // namespace

std::unique_ptr<Pass> make_waits_behind(const Setup& setup) {
  return Pass::make<WaitsBehind>(setup);
}

}  // namespace schedscope::analysis
