// SPDX-License-Identifier: GPL-2.0-only
#include "trial.h"

#include "stage.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <system_error>

#include <fmt/format.h>

#include "base/fd.h"
#include "base/file.h"
#include "collect/record.h"
#include "report/load.h"
#include "schedule.h"
#include "schema/record.h"

namespace schedscope::golden {
namespace {

// A try may come in which the threads that the kernel hides kept away, and the host too.
constexpr int most_tries = 4;

// A directory that goes away with all that is in it.
class TempDir {
 public:
  static Result<TempDir> create() {
    std::error_code none;
    std::string path = std::filesystem::temp_directory_path(none) / "golden-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return fail_errno("make a temporary directory");
    return TempDir(std::move(path));
  }
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir() {
    std::error_code none;
    if (!path_.empty()) std::filesystem::remove_all(path_, none);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit TempDir(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// Keeps this process, and so the recorder, off the CPU on which a schedule is played, as far as
// the machine has another one.
class Seats {
 public:
  Seats() {
    ::sched_getaffinity(0, sizeof(before_), &before_);
    for (std::uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &before_)) stage_ = cpu;
    }
    cpu_set_t others = before_;
    CPU_CLR(stage_, &others);
    if (CPU_COUNT(&others) > 0) ::sched_setaffinity(0, sizeof(others), &others);
  }
  Seats(const Seats&) = delete;
  Seats& operator=(const Seats&) = delete;
  ~Seats() { ::sched_setaffinity(0, sizeof(before_), &before_); }

  [[nodiscard]] std::uint32_t stage() const { return stage_; }

 private:
  cpu_set_t before_{};
  std::uint32_t stage_ = 0;
};

Result<collect::Outcome> play(const Schedule& schedule, collect::Witnesses witnesses,
                              const Trial& trial, const std::filesystem::path& told) {
  const Fd out(::open(told.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!out.valid()) return fail_errno(fmt::format("write {}", told.string()));
  collect::Options options;
  options.output = trial.capture;
  options.witnesses = witnesses;
  options.whole_machine = true;
  options.ring_bytes = schedule.ring_bytes;
  options.interrupts = schedule.interrupts && witnesses != collect::Witnesses::module;
  options.eevdf = schedule.eevdf && witnesses != collect::Witnesses::module;
  options.command = {"/proc/self/exe", "workload", std::string(schedule.name),
                     std::to_string(trial.cpu)};
  options.command_stdout = out.get();
  return collect::record(options);
}

void judge_outcome(const collect::Outcome& outcome, Verdict& verdict) {
  verdict.equal("recording: what went wrong", outcome.warning, std::string());
  verdict.holds("recording: went on to the workload's end", !outcome.interrupted);
  const int status = outcome.command_status.value_or(-1);
  verdict.holds("workload: exited with 0", WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void judge_check(std::string_view what, const std::optional<bool>& check, Verdict& verdict) {
  verdict.holds(fmt::format("{}: was checked", what), check.has_value());
  if (check) verdict.holds(what, *check);
}

void judge_second(const analysis::Report& report, bool may_lose, Verdict& verdict) {
  const auto second = report.second_witness.value_or(analysis::SecondWitnessReport{});
  if (!may_lose) {
    verdict.holds("second witness: saw switches", second.compared > 0);
    verdict.equal("second witness: lost", second.lost, std::uint64_t{0});
  }
  verdict.equal("second witness: missed", second.missed_by_first + second.missed_by_second,
                std::uint64_t{0});
  verdict.equal("second witness: tells another state", second.other_values, std::uint64_t{0});
  verdict.note(
      fmt::format("{} switches by both, of {} another asker", second.compared, second.other_ends));
}

void judge_nothing_lost(const analysis::Report& report, Verdict& verdict) {
  std::uint64_t lost = 0;
  // What is lost to preemption is of no switch and no wakeup, and no machine can promise it.
  for (const auto& [cause, count] : report.lost) {
    if (cause != lost_cause_name(SCHEDSCOPE_LOST_PREEMPTED)) lost += count;
  }
  verdict.equal("records: lost", lost, std::uint64_t{0});
  verdict.equal("records: kept of those produced", report.kept, report.produced);
}

// What is true of every capture, whatever was played.
void judge_capture(const Schedule& schedule, const Trial& trial, Verdict& verdict) {
  const analysis::Report& report = trial.report;
  const bool may_lose = schedule.ring_bytes != 0;
  verdict.holds("capture: complete", report.complete);
  verdict.equal("capture: damage", report.damage, std::string());
  if (!may_lose) judge_nothing_lost(report, verdict);
  verdict.equal("records: late", report.late_records, std::uint64_t{0});
  verdict.equal("records: unknown", report.unknown_records, std::uint64_t{0});
  verdict.at_most("timeline: discontinuities", report.discontinuities,
                  trial.trace.hidden(trial.cpu).arrivals);
  judge_check("conservation: records", report.records_conserved, verdict);
  judge_check("conservation: threads", report.threads_conserved, verdict);
  judge_check("conservation: cpus", report.cpus_conserved, verdict);
  if (!report.user_threads.empty()) {
    judge_check("conservation: user threads", report.user_threads_conserved, verdict);
  }
  // Nothing is compared across a gap: of a capture full of them that may be all there is.
  const auto judge_agreement = [&](std::string_view what, const std::optional<bool>& check) {
    if (check || !may_lose) judge_check(what, check, verdict);
  };
  judge_agreement("agreement: with the kernel's counts", report.kernel_counts_agree);
  const auto& witnesses = report.machine.witnesses;
  if (std::find(witnesses.begin(), witnesses.end(), "module") != witnesses.end()) {
    judge_agreement("agreement: with the module's ledger", report.ledger_agrees);
  }
  if (witnesses.size() == 2) {
    judge_agreement("agreement: bpf with the module", report.bpf_module_agree);
  }
  if (report.machine.streams.size() == 2) judge_second(report, may_lose, verdict);
  for (const std::string& detail : report.agreement_details) verdict.note(detail);
  verdict.note(fmt::format("{} switches, {} records, {} bytes; a switch cost {:.0f} ns; by {}",
                           report.switches, report.kept, report.bytes,
                           report.overhead_ns_per_switch.value_or(0), fmt::join(witnesses, ", ")));
}

}  // namespace

Result<analysis::Report> Trial::report_of(std::uint64_t begin_ns, std::uint64_t end_ns) const {
  return report::load(capture, {.from_ns = begin_ns, .to_ns = end_ns});
}

const analysis::ThreadReport* find_thread(const analysis::Report& report, std::uint32_t tid) {
  const analysis::ThreadReport* found = nullptr;
  for (const analysis::ThreadReport& thread : report.threads) {
    if (thread.who.tid != tid) continue;
    if (found != nullptr) return nullptr;
    found = &thread;
  }
  return found;
}

const analysis::ThreadReport* find_index(const analysis::Report& report,
                                         timeline::ThreadIndex index) {
  const auto found = std::find_if(report.threads.begin(), report.threads.end(),
                                  [&](const auto& thread) { return thread.who.index == index; });
  return index == timeline::no_index || found == report.threads.end() ? nullptr : &*found;
}

std::uint64_t ends_of(const analysis::ThreadReport& thread, timeline::SliceEnd end) {
  return thread.ends.at(static_cast<std::size_t>(end));
}

namespace {

void judge_workload(const Schedule& schedule, const std::filesystem::path& told, Trial& trial,
                    Verdict& verdict) {
  trial.told = nlohmann::json::parse(read_text(told).value_or(""), nullptr, false);
  if (!trial.told.is_object()) return verdict.holds("workload: told of itself", false);
  if (trial.told.contains("cannot")) {
    // What was recorded meanwhile has to be right all the same.
    if (verdict.ok()) verdict.skip(trial.told["cannot"]);
    return;
  }
  try {
    schedule.judge(trial, verdict);
  } catch (const nlohmann::json::exception& error) {
    verdict.holds(fmt::format("workload: told what was asked ({})", error.what()), false);
  }
}

bool only_agreement_is_wrong(const analysis::Report& report, const Verdict& verdict) {
  return verdict.wrong() == 1 && !report.kernel_counts_agree.value_or(true);
}

// Whether a thread that outranks even the schedule's real-time threads (a stopper) took the CPU
// from one of them: then the schedule was not played. A tracer's mistake would come again.
bool was_cut_in_on(const analysis::Report& report) {
  return std::any_of(report.threads.begin(), report.threads.end(), [](const auto& thread) {
    const auto ended = [&](timeline::SliceEnd end) {
      return thread.ends[static_cast<std::size_t>(end)] != 0;
    };
    return thread.who.prio == 99 - above_all &&
           (ended(timeline::SliceEnd::outranked) || ended(timeline::SliceEnd::migrated));
  });
}

struct Try {
  Verdict verdict;
  Trace::Hidden hidden;
  bool by_hidden = false;  // what is wrong may be for the threads that the kernel hides
  bool cut_in_on = false;
};

Result<Try> try_once(const Schedule& schedule, const Wish& wish) {
  const auto dir = TempDir::create();
  if (!dir) return std::unexpected(dir.error());
  const Seats seats;
  Trial trial;
  trial.cpu = seats.stage();
  trial.capture = wish.keep.empty() ? dir->path() / "capture"
                                    : wish.keep / fmt::format("{}.schedscope", schedule.name);
  const auto told = dir->path() / "told";

  const auto outcome = play(schedule, wish.witnesses, trial, told);
  if (!outcome) return std::unexpected(outcome.error());
  std::array<timeline::Sink*, 1> sinks = {&trial.trace};
  auto report = report::load(trial.capture, {}, sinks);
  if (!report) return std::unexpected(report.error());
  trial.report = std::move(*report);

  Try done;
  done.hidden = trial.trace.hidden(trial.cpu);
  judge_outcome(*outcome, done.verdict);
  judge_capture(schedule, trial, done.verdict);
  judge_workload(schedule, told, trial, done.verdict);
  done.cut_in_on = was_cut_in_on(trial.report);
  done.by_hidden =
      done.hidden.arrivals_here != 0 || (schedule.everywhere && done.hidden.arrivals != 0) ||
      (done.hidden.arrivals != 0 && only_agreement_is_wrong(trial.report, done.verdict));
  return done;
}

}  // namespace

Result<Verdict> try_schedule(const Schedule& schedule, const Wish& wish) {
  for (int tries = 1;; ++tries) {
    auto done = try_once(schedule, wish);
    if (!done) return std::unexpected(done.error());
    const bool may_try_again = done->by_hidden || done->cut_in_on;
    if (done->verdict.ok() || !may_try_again) return std::move(done->verdict);
    if (tries < most_tries) continue;
    if (done->by_hidden) {
      done->verdict.skip(fmt::format(
          "this kernel keeps threads from every probe (tid {}): in each of {} tries they ran",
          fmt::join(done->hidden.tids, ", "), most_tries));
    }
    return std::move(done->verdict);
  }
}

}  // namespace schedscope::golden
