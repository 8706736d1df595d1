// SPDX-License-Identifier: GPL-2.0-only
//
// The critical path of one thread: what its time depended on. It is walked backwards. While the
// thread ran or waited, that is its own time; while it slept and a thread ended that, it is what
// that thread did, back to where the sleep began, and so on for that one's own sleeps.
#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "analysis/passes.h"
#include "analysis/peers.h"
#include "analysis/queue.h"
#include "analysis/stretches.h"
#include "base/text.h"

namespace schedscope::analysis {
namespace {

using timeline::no_index;
using timeline::State;
using timeline::ThreadIndex;

constexpr std::size_t most_segments = 1'000'000;
constexpr std::string_view tried = "show the critical path";

bool asleep(State state) {
  return state == State::sleep || state == State::block;
}

struct Maker {
  ThreadIndex thread = no_index;
};

// Collects the segments of a path from its end on.
class Path {
 public:
  Path(ThreadIndex thread, std::uint64_t from, std::uint64_t to) : at_ns_(to) {
    path_.thread = thread;
    path_.from_ns = from;
    path_.to_ns = to;
  }

  void add(const PathSegment& segment) {
    whole_ = whole_ && segment.end_ns == at_ns_ && segment.begin_ns < at_ns_;
    at_ns_ = segment.begin_ns;
    count(segment);
    auto& segments = path_.segments;
    if (!segments.empty() && continues(segment, segments.back())) {
      segments.back().begin_ns = segment.begin_ns;
      return;
    }
    if (segments.size() == 2 * most_segments) keep_longest();
    segments.push_back(segment);
  }

  CriticalPath finish();

 private:
  static bool continues(const PathSegment& a, const PathSegment& later) {
    return a.end_ns == later.begin_ns &&
           std::tie(a.thread, a.state, a.cause, a.cpu, a.depth) ==
               std::tie(later.thread, later.state, later.cause, later.cpu, later.depth);
  }
  void count(const PathSegment& segment);
  void keep_longest();

  CriticalPath path_;
  std::uint64_t at_ns_;
  bool whole_ = true;               // each segment began where the one before it ended
  std::vector<std::uint32_t> row_;  // of each thread in path_.threads, from 1 on
};

void Path::count(const PathSegment& segment) {
  if (segment.thread >= row_.size()) row_.resize(segment.thread + 1U);
  std::uint32_t& number = row_[segment.thread];
  if (number == 0) {
    path_.threads.push_back({.thread = segment.thread});
    number = static_cast<std::uint32_t>(path_.threads.size());
  }
  PathThread& row = path_.threads[number - 1];
  const std::uint64_t ns = segment.end_ns - segment.begin_ns;
  row.ns += ns;
  row.state_ns[static_cast<std::size_t>(segment.state)] += ns;
  if (segment.state == State::sleep) row.sleep_ns[static_cast<std::size_t>(segment.cause)] += ns;
}

void Path::keep_longest() {
  auto& segments = path_.segments;
  if (segments.size() <= most_segments) return;
  const auto rest = segments.begin() + most_segments;
  std::nth_element(segments.begin(), rest, segments.end(),
                   [](const PathSegment& a, const PathSegment& b) {
                     return std::pair(a.end_ns - a.begin_ns, b.begin_ns) >
                            std::pair(b.end_ns - b.begin_ns, a.begin_ns);
                   });
  for (auto segment = rest; segment != segments.end(); ++segment) {
    ++path_.segments_left_out;
    path_.left_out_ns += segment->end_ns - segment->begin_ns;
  }
  segments.erase(rest, segments.end());
  std::sort(segments.begin(), segments.end(),
            [](const PathSegment& a, const PathSegment& b) { return a.begin_ns > b.begin_ns; });
}

CriticalPath Path::finish() {
  keep_longest();
  std::reverse(path_.segments.begin(), path_.segments.end());
  std::sort(path_.threads.begin(), path_.threads.end(), [](const auto& a, const auto& b) {
    return a.ns != b.ns ? a.ns > b.ns : a.thread < b.thread;
  });
  std::uint64_t of_threads = 0, of_segments = path_.left_out_ns;
  for (const PathThread& row : path_.threads) {
    for (const std::uint64_t ns : row.state_ns) of_threads += ns;
  }
  for (const PathSegment& s : path_.segments) of_segments += s.end_ns - s.begin_ns;
  const std::uint64_t all = path_.to_ns - path_.from_ns;
  path_.adds_up = whole_ && at_ns_ == path_.from_ns && of_threads == all && of_segments == all;
  return std::move(path_);
}

// Goes from the end to the begin. A stack holds who sleeps for whom: each of them once, and time
// never goes forward, so it ends, whatever the records say.
class Walk {
 public:
  Walk(const Stretches& stretches, const std::vector<Maker>& makers, ThreadIndex thread)
      : stretches_(stretches),
        makers_(makers),
        at_ns_(stretches.end_of(thread)),
        path_(thread, stretches.begin_of(thread), at_ns_) {
    enter(thread, stretches.begin_of(thread));
  }

  CriticalPath go() {
    while (!levels_.empty()) {
      if (at_ns_ == levels_.back().until_ns) {
        leave();
      } else {
        step();
      }
    }
    return path_.finish();
  }

 private:
  struct Level {
    ThreadIndex thread;
    std::uint64_t until_ns;  // where the sleep of the level below begins
  };

  void enter(ThreadIndex thread, std::uint64_t until) {
    if (thread >= entered_.size()) entered_.resize(thread + 1U);
    entered_[thread] = true;
    levels_.push_back({thread, until});
  }
  void leave() {
    entered_[levels_.back().thread] = false;
    levels_.pop_back();
  }
  // Not one that sleeps in this very path, as records say that contradict each other.
  [[nodiscard]] bool can_follow(ThreadIndex thread) const {
    const bool entered = thread < entered_.size() && entered_[thread];
    return thread != no_index && !entered && stretches_.before(thread, at_ns_).has_value();
  }

  void step() {
    const auto [thread, until] = levels_.back();
    const auto found = stretches_.before(thread, at_ns_);
    if (!found) {
      be_made();
      return;
    }
    const Stretch& stretch = found->stretch;
    const std::uint64_t begin = std::max(stretch.begin_ns, until);
    // A sleep that the path comes into before its end did not end here.
    const bool ends_here = asleep(stretch.state) && found->end_ns == at_ns_;
    if (ends_here && stretch.cause == WakerKind::thread && can_follow(stretch.waker)) {
      enter(stretch.waker, begin);
      return;
    }
    const bool known = ends_here && stretch.cause != WakerKind::thread;
    path_.add({.thread = thread,
               .state = stretch.state,
               .cause = known ? stretch.cause : WakerKind::unknown,
               .cpu = stretch.cpu,
               .depth = static_cast<std::uint32_t>(levels_.size() - 1),
               .begin_ns = begin,
               .end_ns = at_ns_});
    at_ns_ = begin;
  }

  // Before its birth the path is that of who made it; else the one below slept for who knows what.
  void be_made() {
    const Level level = levels_.back();
    leave();
    const ThreadIndex maker =
        level.thread < makers_.size() ? makers_[level.thread].thread : no_index;
    if (can_follow(maker)) enter(maker, level.until_ns);
  }

  const Stretches& stretches_;
  const std::vector<Maker>& makers_;
  std::uint64_t at_ns_;
  Path path_;
  std::vector<Level> levels_;
  std::vector<bool> entered_;
};

class CriticalPaths final : public Pass {
 public:
  explicit CriticalPaths(const Setup& setup) : Pass(setup), all_(setup.machine.filter.empty()) {}

  [[nodiscard]] std::uint64_t wants_records() const override {
    return kinds(SCHEDSCOPE_REC_SWITCH, SCHEDSCOPE_REC_MIGRATE, SCHEDSCOPE_REC_WAKEUP_NEW);
  }
  void record(RecordView record) override;

  void slice(const timeline::Slice& slice) override {
    add(slice.thread, {.begin_ns = slice.begin_ns, .cpu = slice.cpu, .state = State::run},
        slice.end_ns);
  }
  void span(const timeline::Span& span) override {
    if (span.state == State::wait) {
      at(queues_, span.thread)
          .split(span, [&](std::uint16_t cpu, std::uint64_t begin, std::uint64_t end) {
            add(span.thread, {.begin_ns = begin, .cpu = cpu, .state = State::wait}, end);
          });
      return;
    }
    Stretch stretch{.begin_ns = span.begin_ns, .state = span.state};
    if (asleep(span.state)) {
      stretch.waker = span.waker;
      stretch.cause = waker_of(span);
    }
    add(span.thread, stretch, span.end_ns);
  }
  // Of a selection the idle tasks' switches are not all recorded.
  void cpu_span(const timeline::CpuSpan& span) override {
    const bool idle = span.state == timeline::CpuState::idle;
    if (full_ || !all_ || !idle || span.begin_ns == span.end_ns) return;
    if (!stretches_.add_idle(span)) become_full();
  }

  void finish(Report& report) override {
    report.critical_path = make();
    stretches_ = {};
  }

 private:
  struct Part {
    std::uint32_t segment;
    ThreadIndex who;
    std::uint64_t ns;
  };

  void add(ThreadIndex thread, const Stretch& stretch, std::uint64_t end_ns) {
    if (!full_ && !stretches_.add(thread, stretch, end_ns)) become_full();
  }
  void become_full() {
    full_ = true;
    stretches_ = {};
  }
  [[nodiscard]] ThreadIndex find(std::uint32_t tid) const {
    return tid == 0 ? no_index : setup().timeline->find(tid);
  }
  [[nodiscard]] Result<CriticalPath> make() const;
  [[nodiscard]] Result<ThreadIndex> choose() const;
  [[nodiscard]] std::vector<Part> parts_of(const std::vector<PathSegment>& segments) const;
  void tell_behind(CriticalPath& path) const;

  const bool all_;  // all threads' switches are recorded
  bool full_ = false;
  std::uint64_t now_ = 0;
  Stretches stretches_;
  std::vector<Queue> queues_;
  std::vector<Maker> makers_;
};

void CriticalPaths::record(RecordView record) {
  now_ = std::max(now_, record.time_ns());  // as the timeline does
  const auto move = [&](ThreadIndex thread, std::uint32_t cpu) {
    if (thread != no_index) at(queues_, thread).move(now_, cpu);
  };
  switch (record.kind()) {
    case SCHEDSCOPE_REC_SWITCH:
      move(find(record.as<schedscope_switch>().prev_tid), record.cpu());
      break;
    case SCHEDSCOPE_REC_MIGRATE: {
      const auto& moved = record.as<schedscope_migrate>();
      move(find(moved.tid), moved.to_cpu);
      break;
    }
    case SCHEDSCOPE_REC_WAKEUP_NEW: {
      const auto& made = record.as<schedscope_waking>();
      const ThreadIndex thread = find(made.tid);
      move(thread, made.target_cpu);
      if (thread != no_index) at(makers_, thread).thread = find(made.waker_tid);
      break;
    }
    default:
      break;
  }
}

// Those that had time in the reported span; one whose tid it is goes before all names.
Result<ThreadIndex> CriticalPaths::choose() const {
  std::vector<ThreadIndex> numbered, named;
  for (const timeline::Thread& thread : setup().timeline->threads()) {
    if (!stretches_.has(thread.index)) continue;
    if (fmt::format("{}", thread.tid) == setup().path_of) {
      numbered.push_back(thread.index);
    } else if (printable(thread.comm).find(setup().path_of) != std::string::npos) {
      named.push_back(thread.index);
    }
  }
  const auto& chosen = numbered.empty() ? named : numbered;
  const std::string asked = printable(setup().path_of);
  if (chosen.empty()) {
    return fail(tried, fmt::format("no thread is named or numbered {} in that time", asked),
                "the report without it lists them", Exit::usage);
  }
  if (chosen.size() == 1) return chosen.front();
  if (!numbered.empty()) {
    return fail(tried, fmt::format("{} threads had the tid {} in that time", chosen.size(), asked),
                "narrow it with --from and --to", Exit::usage);
  }
  std::string tids;
  for (std::size_t i = 0; i < std::min<std::size_t>(chosen.size(), 5); ++i) {
    tids += fmt::format("{}{}", i == 0 ? "" : ", ", setup().timeline->threads()[chosen[i]].tid);
  }
  return fail(tried,
              fmt::format("{} threads are named {}: {}{}", chosen.size(), asked, tids,
                          chosen.size() > 5 ? ", …" : ""),
              "name one by its tid", Exit::usage);
}

Result<CriticalPath> CriticalPaths::make() const {
  if (full_) {
    return fail(tried,
                fmt::format("that time holds more than {} stretches of threads", Stretches::most),
                "narrow it with --from and --to", Exit::usage);
  }
  const auto thread = choose();
  if (!thread) return std::unexpected(thread.error());
  CriticalPath path = Walk(stretches_, makers_, *thread).go();
  for (PathThread& row : path.threads) {
    const timeline::Thread& who = setup().timeline->threads()[row.thread];
    row.tid = who.tid;
    row.comm = who.comm;
  }
  tell_behind(path);
  return path;
}

// Who had the CPU in whose queue a thread waited, for each wait of the path.
std::vector<CriticalPaths::Part> CriticalPaths::parts_of(
    const std::vector<PathSegment>& segments) const {
  std::vector<std::uint32_t> waits;
  for (std::uint32_t i = 0; i < segments.size(); ++i) {
    if (segments[i].state == State::wait) waits.push_back(i);
  }
  std::vector<Part> parts;
  stretches_.each_on_cpu([&](std::uint16_t cpu, ThreadIndex who, std::uint64_t begin,
                             std::uint64_t end) {
    if (who != no_index && setup().timeline->threads()[who].bystander) return;
    auto wait = std::partition_point(waits.begin(), waits.end(),
                                     [&](std::uint32_t i) { return segments[i].end_ns <= begin; });
    for (; wait != waits.end() && segments[*wait].begin_ns < end; ++wait) {
      const PathSegment& s = segments[*wait];
      if (s.cpu != cpu) continue;
      parts.push_back({*wait, who, std::min(s.end_ns, end) - std::max(s.begin_ns, begin)});
    }
  });
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return std::tie(a.segment, a.who) < std::tie(b.segment, b.who);
  });
  return parts;
}

void CriticalPaths::tell_behind(CriticalPath& path) const {
  Peers peers;
  for (const PathThread& row : path.threads) {
    path.waited_behind_unknown_ns += row.state_ns[static_cast<std::size_t>(State::wait)];
  }
  const std::vector<Part> parts = parts_of(path.segments);
  for (std::size_t i = 0; i < parts.size();) {
    Part sum = parts[i];
    for (++i; i < parts.size(); ++i) {
      if (parts[i].segment != sum.segment || parts[i].who != sum.who) break;
      sum.ns += parts[i].ns;
    }
    PathSegment& segment = path.segments[sum.segment];
    if (sum.ns > segment.behind_ns) {
      segment.behind = sum.who;
      segment.behind_ns = sum.ns;
    }
    peers.count(sum.who == no_index ? Peers::idle : sum.who) += sum.ns;
    path.waited_behind_unknown_ns -= sum.ns;
  }
  path.waited_behind = peers.list(setup().timeline->threads(), Peers::By::time);
  for (Peer& peer : path.waited_behind) {
    if (peer.thread == no_index && peer.comm == "(interrupt)") peer.comm = "(idle)";
  }
}

}  // namespace

std::unique_ptr<Pass> make_critical_path(const Setup& setup) {
  return setup.path_of.empty() ? nullptr : Pass::make<CriticalPaths>(setup);
}

}  // namespace schedscope::analysis
