// SPDX-License-Identifier: GPL-2.0-only
//
// Where the time of each cgroup's threads went. A thread that moves takes with it what comes after
// the move, to the ns.
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

#include "analysis/passes.h"

namespace schedscope::analysis {
namespace {

using timeline::State;

// The kernel's own bound for a path.
constexpr std::uint32_t longest_path = 4096;

class Cgroups final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] std::uint64_t wants_records() const override {
    return kinds(SCHEDSCOPE_REC_CGROUP);
  }
  void record(RecordView record) override { take_path(record.as<schedscope_cgroup>()); }

  void in_cgroup(timeline::ThreadIndex thread, std::uint64_t cgroup_id, std::uint64_t from_ns,
                 bool told) override {
    Row& row = at(rows_, thread);
    if (!told) ++missed_;
    if (from_ns != 0) {
      row.moves.push_back({.from_ns = from_ns, .cgroup_id = cgroup_id});
    } else {
      // It was there from its birth on; what has come since was not known to be its.
      row.now.cgroup_id = cgroup_id;
    }
  }

  void slice(const timeline::Slice& slice) override {
    add(slice.thread, State::run, slice.begin_ns, slice.end_ns);
  }
  void span(const timeline::Span& span) override {
    add(span.thread, span.state, span.begin_ns, span.end_ns);
  }

  void finish(Report& report) override;

 private:
  using Times = std::array<std::uint64_t, timeline::state_count>;
  struct Move {
    std::uint64_t from_ns, cgroup_id;
  };
  struct Sum {
    std::uint64_t cgroup_id = 0;  // 0: none is known
    bool used = false;
    Times times{};
  };
  struct Row {
    Sum now;                  // of the one that what comes next begins in
    std::vector<Move> moves;  // later than that
    std::vector<Sum> others;
  };

  void take_path(const schedscope_cgroup& part);
  void add(timeline::ThreadIndex thread, State state, std::uint64_t begin, std::uint64_t end);
  static void enter(Row& row, std::uint64_t cgroup_id);
  static void add_to(Sum& sum, State state, std::uint64_t ns) {
    sum.used = true;
    sum.times[static_cast<std::size_t>(state)] += ns;
  }
  static void add_thread(const Times& times, CgroupReport& cgroup);
  static bool adds_up(const Row& row, const ThreadReport& thread);

  std::vector<Row> rows_;
  std::map<std::uint64_t, std::string> paths_;
  std::uint64_t missed_ = 0;
};

// Parts come in their order; what does not follow is no path.
void Cgroups::take_path(const schedscope_cgroup& part) {
  std::string& path = paths_[part.cgroup_id];
  if (part.at == 0) path.clear();
  if (part.at != path.size() || part.path_bytes > longest_path || part.at >= part.path_bytes)
    return;
  const std::size_t bytes = std::min<std::size_t>(part.path_bytes - part.at, sizeof(part.part));
  path.append(reinterpret_cast<const char*>(part.part), bytes);
}

void Cgroups::enter(Row& row, std::uint64_t cgroup_id) {
  if (cgroup_id == row.now.cgroup_id) return;
  if (row.now.used) row.others.push_back(row.now);
  row.now = {.cgroup_id = cgroup_id};
  const auto found = std::ranges::find(row.others, cgroup_id, &Sum::cgroup_id);
  if (found == row.others.end()) return;
  row.now = *found;
  row.others.erase(found);
}

// A thread's stretches come in the order of their times: what lies before this one is done with.
void Cgroups::add(timeline::ThreadIndex thread, State state, std::uint64_t begin,
                  std::uint64_t end) {
  Row& row = at(rows_, thread);
  while (!row.moves.empty() &&
         (row.moves.front().from_ns <= begin || row.moves.front().from_ns < end)) {
    const Move move = row.moves.front();
    row.moves.erase(row.moves.begin());
    if (move.from_ns > begin) {
      add_to(row.now, state, move.from_ns - begin);
      begin = move.from_ns;
    }
    enter(row, move.cgroup_id);
  }
  add_to(row.now, state, end - begin);
}

void Cgroups::add_thread(const Times& times, CgroupReport& cgroup) {
  const auto of = [&](State state) { return times[static_cast<std::size_t>(state)]; };
  ++cgroup.threads;
  cgroup.run_ns += of(State::run);
  cgroup.wait_ns += of(State::wait);
  cgroup.sleep_ns += of(State::sleep);
  cgroup.block_ns += of(State::block);
  cgroup.unknown_ns += of(State::unknown);
}

bool Cgroups::adds_up(const Row& row, const ThreadReport& thread) {
  CgroupReport all;
  add_thread(row.now.times, all);
  for (const Sum& sum : row.others) add_thread(sum.times, all);
  return all.run_ns == thread.run_ns && all.wait_ns == thread.wait_ns &&
         all.sleep_ns == thread.sleep_ns && all.block_ns == thread.block_ns &&
         all.unknown_ns == thread.unknown_ns;
}

void Cgroups::finish(Report& report) {
  rows_.resize(report.threads.size());
  std::map<std::uint64_t, CgroupReport> cgroups;
  bool conserved = true;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const ThreadReport& thread = report.threads[i];
    conserved = conserved && adds_up(rows_[i], thread);
    if (thread.who.bystander) continue;
    const Sum& now = rows_[i].now;
    if (now.used) add_thread(now.times, cgroups[now.cgroup_id]);
    for (const Sum& sum : rows_[i].others) add_thread(sum.times, cgroups[sum.cgroup_id]);
  }
  report.cgroup_moves_missed = missed_;
  if (cgroups.empty() || (cgroups.size() == 1 && cgroups.contains(0))) return;
  report.cgroups_conserved = conserved;
  for (auto& [id, cgroup] : cgroups) {
    cgroup.id = id;
    if (const auto path = paths_.find(id); path != paths_.end()) cgroup.path = path->second;
    report.cgroups.push_back(std::move(cgroup));
  }
  std::ranges::sort(report.cgroups, [](const CgroupReport& a, const CgroupReport& b) {
    return a.run_ns != b.run_ns ? a.run_ns > b.run_ns : a.id < b.id;
  });
}

}  // namespace

std::unique_ptr<Pass> make_cgroups(const Setup& setup) {
  return Pass::make<Cgroups>(setup);
}

}  // namespace schedscope::analysis
