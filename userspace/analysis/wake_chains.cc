// SPDX-License-Identifier: GPL-2.0-only
//
// Wake chains: a thread sleeps until another one wakes it, which may have slept meanwhile until a
// third one woke it, and one of them could have run and had to wait for a CPU. That wait is part of
// the first one's sleep. The whole of it for one thread is the critical path; here the last few
// absences of each thread are looked at, in the one pass.
#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "analysis/passes.h"
#include "base/text.h"

namespace schedscope::analysis {
namespace {

using timeline::no_index;
using timeline::State;
using timeline::ThreadIndex;

constexpr std::uint64_t least_ns = 100'000;
constexpr std::uint64_t least_part = 10;       // of the sleep, that is a tenth,
constexpr std::uint64_t long_ns = 10'000'000;  // or so much
// A wait of one that yields, or is preempted for a moment.
constexpr std::uint64_t brief_ns = 10'000;
constexpr std::size_t most_findings = 5;
constexpr std::size_t most_found = 32;    // of which those are chosen
constexpr std::size_t most_links = 8;     // of a chain
constexpr std::size_t most_windows = 64;  // that are looked at for one sleep
constexpr std::size_t most_open = 16;     // sleeps that one thread's next switch decides
// On average, of all sleeps: where everybody depends on everybody, some are not looked at.
constexpr std::int64_t windows_a_sleep = 4;
constexpr std::int64_t most_saved = 8192;  // windows that sleeps with fewer left for others

// A thread's time between two slices: asleep, then runnable.
struct Absence {
  std::uint64_t left_ns = 0, woken_ns = 0, back_ns = 0;
  ThreadIndex waker = no_index;  // who ended the sleep; no_index: no thread, or it did not sleep
  bool known = true;             // not in a gap
};

// The last absences of one thread that can be a part of a chain.
struct Row {
  static constexpr std::size_t kept = 8;
  std::array<Absence, kept> absences{};
  std::uint32_t count = 0;

  void push(const Absence& absence) { absences[count++ % kept] = absence; }
  [[nodiscard]] std::size_t size() const { return std::min<std::size_t>(count, kept); }
  // The `i`th before the latest one.
  [[nodiscard]] const Absence& back(std::size_t i) const {
    return absences[(count - 1 - i) % kept];
  }
};

// A thread's latest absence; apart, since most are no part of any chain.
struct Latest {
  std::uint64_t left_ns = 0, woken_ns = 0;
  ThreadIndex waker = no_index;
  bool open = false;  // its wait has not come yet
  bool known = true;
  bool asked = false;  // sleeps wait in open_ for this thread to go on
};

struct Sleep {
  ThreadIndex thread = no_index, waker = no_index;
  std::uint64_t begin_ns = 0, end_ns = 0;
};

// From who slept to who waited longest.
struct Chain {
  std::array<ThreadIndex, most_links> links{};
  std::size_t size = 0;
  Sleep sleep;
  std::uint64_t waited_ns = 0;                       // of all that it depended on
  std::uint64_t longest_ns = 0, longest_end_ns = 0;  // the last link's

  [[nodiscard]] std::span<const ThreadIndex> threads() const { return {links.data(), size}; }
};

struct Found {
  Chain worst;
  std::uint64_t count = 0, waited_ns = 0;
};

class WakeChains final : public Pass {
 public:
  using Pass::Pass;

  void span(const timeline::Span& span) override {
    if (span.state == State::wait) {
      const Latest& latest = at(latest_, span.thread);
      const bool woken = latest.open && latest.woken_ns == span.begin_ns;
      if (!woken) begin(span.thread, {.left_ns = span.begin_ns, .woken_ns = span.begin_ns});
      end(span.thread, span.end_ns);
      return;
    }
    const bool known = span.state != State::unknown;
    const ThreadIndex waker = known && !span.end_cut ? span.waker : no_index;
    begin(span.thread,
          {.left_ns = span.begin_ns, .woken_ns = span.end_ns, .waker = waker, .known = known});
    if (waker == no_index || span.end_ns - span.begin_ns < least_ns) return;
    // Kernel threads wait for work of whoever comes, often out of an interrupt: they depend on
    // none.
    if (setup().timeline->threads()[span.thread].kernel_thread) return;
    ++sleeps_;
    windows_left_ = std::min(windows_left_ + windows_a_sleep, most_saved);
    if (windows_left_ <= 0) return void(++passed_over_);
    look_for({span.thread, waker, span.begin_ns, span.end_ns});
  }

  void finish(Report& report) override;

 private:
  void begin(ThreadIndex thread, const Latest& absence) {
    Latest& latest = at(latest_, thread);
    if (latest.open) end(thread, latest.woken_ns);
    const bool asked = latest.asked;
    latest = absence;
    latest.open = true;
    if (asked) [[unlikely]]
      decide_open(thread);
  }
  // A brief one costs no more than that, whatever it led to; many would push out those that do.
  void end(ThreadIndex thread, std::uint64_t back_ns) {
    Latest& latest = latest_[thread];
    latest.open = false;
    const bool tells = latest.waker != no_index || back_ns - latest.woken_ns >= brief_ns;
    if (latest.known && (!tells || back_ns - latest.left_ns < brief_ns)) return;
    at(rows_, thread).push({latest.left_ns, latest.woken_ns, back_ns, latest.waker, latest.known});
  }
  // Whether all that it did before `t` is known. It is told of at the thread's next switch away.
  [[nodiscard]] bool reaches(ThreadIndex thread, std::uint64_t t) const {
    return thread < latest_.size() && latest_[thread].left_ns >= t;
  }

  // What a search is at, and what it has found.
  struct Search {
    Chain chain;                                // the longest wait so far, and the sum
    std::array<ThreadIndex, most_links> now{};  // the links down to here
    std::size_t depth = 0, windows = 0;
    ThreadIndex not_there_yet = no_index;  // whose time is not all known: it ends there
    bool as_it_is = false;                 // it does not

    [[nodiscard]] bool holds(ThreadIndex thread) const {
      return std::find(now.begin(), now.begin() + depth, thread) != now.begin() + depth;
    }
  };

  void look_for(const Sleep& sleep, bool as_it_is = false);
  void decide_open(ThreadIndex thread);
  void search(Search& s, ThreadIndex thread, std::uint64_t from, std::uint64_t to) const;
  void keep(const Chain& chain);
  [[nodiscard]] std::vector<Found> choose(const Report& report);
  [[nodiscard]] Finding tell(const Report& report, const Found& found) const;

  std::vector<Latest> latest_;
  std::vector<Row> rows_;
  std::unordered_map<ThreadIndex, std::vector<Sleep>> open_;
  std::vector<Found> found_;
  std::int64_t windows_left_ = most_saved;
  std::uint64_t sleeps_ = 0, passed_over_ = 0;
};

void WakeChains::look_for(const Sleep& sleep, bool as_it_is) {
  Search s;
  s.as_it_is = as_it_is;
  s.now[s.depth++] = sleep.thread;
  search(s, sleep.waker, sleep.begin_ns, sleep.end_ns);
  windows_left_ -= static_cast<std::int64_t>(s.windows);
  if (s.not_there_yet != no_index) {
    auto& open = open_[s.not_there_yet];
    if (open.size() == most_open) return look_for(sleep, true);
    open.push_back(sleep);
    at(latest_, s.not_there_yet).asked = true;
    return;
  }
  const std::uint64_t slept = sleep.end_ns - sleep.begin_ns;
  if (s.chain.waited_ns < std::max(least_ns, std::min(slept / least_part, long_ns))) return;
  s.chain.sleep = sleep;
  keep(s.chain);
}

void WakeChains::decide_open(ThreadIndex thread) {
  const auto node = open_.extract(thread);
  for (const Sleep& sleep : node.mapped()) look_for(sleep);
}

// What `thread` did between two times, the later of which it ran at, and those who woke it.
void WakeChains::search(Search& s, ThreadIndex thread, std::uint64_t from, std::uint64_t to) const {
  if (s.depth == most_links || s.holds(thread) || ++s.windows > most_windows) return;
  if (!s.as_it_is && !reaches(thread, to)) s.not_there_yet = thread;
  if (s.not_there_yet != no_index || thread >= rows_.size()) return;
  s.now[s.depth++] = thread;
  const Row& row = rows_[thread];
  for (std::size_t i = 0; i < row.size(); ++i) {
    const Absence& absence = row.back(i);
    if (absence.left_ns >= to) continue;
    if (absence.back_ns <= from || !absence.known) break;
    const std::uint64_t begin = std::max(absence.woken_ns, from);
    const std::uint64_t end = std::min(absence.back_ns, to);
    if (begin < end) {
      s.chain.waited_ns += end - begin;
      if (end - begin > s.chain.longest_ns) {
        s.chain.longest_ns = end - begin;
        s.chain.longest_end_ns = end;
        s.chain.links = s.now;
        s.chain.size = s.depth;
      }
    }
    if (absence.woken_ns > from && absence.waker != no_index) {
      search(s, absence.waker, std::max(absence.left_ns, from), absence.woken_ns);
      if (s.not_there_yet != no_index) return;
    }
  }
  --s.depth;
}

// The worst of each chain. When there are too many of them, the least makes room for a worse one.
void WakeChains::keep(const Chain& chain) {
  const auto same = std::find_if(found_.begin(), found_.end(), [&](const Found& f) {
    return std::ranges::equal(f.worst.threads(), chain.threads());
  });
  if (same != found_.end()) {
    ++same->count;
    same->waited_ns += chain.waited_ns;
    if (chain.waited_ns > same->worst.waited_ns) same->worst = chain;
    return;
  }
  if (found_.size() == most_found) {
    const auto least = std::min_element(
        found_.begin(), found_.end(),
        [](const Found& a, const Found& b) { return a.worst.waited_ns < b.worst.waited_ns; });
    if (least->worst.waited_ns >= chain.waited_ns) return;
    found_.erase(least);
  }
  found_.push_back({chain, 1, chain.waited_ns});
}

// One wait can be in several chains, with or without its first moments: the longest one tells most.
// What a priority inversion is told of needs no second finding.
std::vector<Found> WakeChains::choose(const Report& report) {
  std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) {
    if (a.worst.size != b.worst.size) return a.worst.size > b.worst.size;
    if (a.worst.waited_ns != b.worst.waited_ns) return a.worst.waited_ns > b.worst.waited_ns;
    return a.worst.links < b.worst.links;
  });
  std::vector<Found> chosen;
  for (const Found& found : found_) {
    const Chain& chain = found.worst;
    const bool told = std::any_of(chosen.begin(), chosen.end(), [&](const Found& other) {
      return other.worst.threads().back() == chain.threads().back() &&
             other.worst.longest_end_ns == chain.longest_end_ns;
    });
    const bool inversion =
        std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& f) {
          return f.kind == "inversion" && f.thread == chain.sleep.thread &&
                 f.at_ns >= chain.sleep.begin_ns && f.at_ns < chain.sleep.end_ns;
        });
    if (!told && !inversion) chosen.push_back(found);
  }
  std::sort(chosen.begin(), chosen.end(), [](const Found& a, const Found& b) {
    if (a.worst.waited_ns != b.worst.waited_ns) return a.worst.waited_ns > b.worst.waited_ns;
    return a.worst.links < b.worst.links;
  });
  chosen.resize(std::min(chosen.size(), most_findings));
  return chosen;
}

Finding WakeChains::tell(const Report& report, const Found& found) const {
  const Chain& chain = found.worst;
  const auto name = [&](ThreadIndex thread) {
    const timeline::Thread& who = report.threads[thread].who;
    return fmt::format("{} ({})", printable(who.comm), who.tid);
  };
  std::string links;
  for (const ThreadIndex thread : chain.threads()) {
    links += fmt::format("{}{}", links.empty() ? "" : " <- ", name(thread));
  }
  std::string text = fmt::format(
      "Wake chain {}: the first slept for {}, of which those that it depended on waited {} for a "
      "CPU, the last one {} at once.",
      links, human_ns(chain.sleep.end_ns - chain.sleep.begin_ns), human_ns(chain.waited_ns),
      human_ns(chain.longest_ns));
  if (found.count > 1) {
    text += fmt::format(" The worst of {} such sleeps, with {} together.", found.count,
                        human_ns(found.waited_ns));
  }
  return {.kind = "wake_chain",
          .text = std::move(text),
          .severity = Severity::notice,
          .thread = chain.sleep.thread,
          .at_ns = chain.longest_end_ns - chain.longest_ns,
          .for_ns = chain.waited_ns};
}

void WakeChains::finish(Report& report) {
  for (ThreadIndex i = 0; i < latest_.size(); ++i) {
    if (latest_[i].open) end(i, latest_[i].woken_ns);
  }
  for (const auto& [thread, sleeps] : std::exchange(open_, {})) {
    for (const Sleep& sleep : sleeps) look_for(sleep, true);
  }
  for (const Found& found : choose(report)) report.findings.push_back(tell(report, found));
  report.sleeps = sleeps_;
  report.sleeps_passed_over = passed_over_;
  rows_ = {};  // its memory is for the lists to come
}

}  // namespace

std::unique_ptr<Pass> make_wake_chains(const Setup& setup) {
  return Pass::make<WakeChains>(setup);
}

}  // namespace schedscope::analysis
