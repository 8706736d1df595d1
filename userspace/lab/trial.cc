// SPDX-License-Identifier: GPL-2.0-only
#include "lab/trial.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/fd.h"
#include "collect/record.h"
#include "report/load.h"

namespace schedscope::lab {
namespace {

// The workload's own numbers: one JSON object a line; anything else is not ours.
std::map<std::string, double> parse_numbers(const std::string& text) {
  std::map<std::string, double> numbers;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const auto line =
        nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(at),
                              text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    at = end + 1;
    if (!line.is_object()) continue;
    for (const auto& [name, value] : line.items()) {
      if (value.is_number()) numbers[name] = value.get<double>();
    }
  }
  return numbers;
}

// All that is in the pipe; workloads say less than it holds, so it is read after they end.
std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> part{};
  for (;;) {
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got <= 0) return text;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

std::uint64_t Window::share(std::uint64_t begin_ns, std::uint64_t end_ns) const {
  const std::uint64_t begin = std::max(begin_ns, from_ns), end = std::min(end_ns, to_ns);
  return end > begin ? end - begin : 0;
}

void Stretches::user_switch(timeline::UserIndex user, std::uint64_t at_ns) {
  if (user_switches.size() <= user) user_switches.resize(user + 1U);
  UserSwitches& one = user_switches[user];
  if (one.count++ == 0) one.first_ns = at_ns;
  one.last_ns = at_ns;
}

Trial::Threads Trial::named_like(std::string_view prefix) const {
  Threads found;
  for (const auto& thread : report.threads) {
    if (thread.who.comm.starts_with(prefix)) found.push_back(&thread);
  }
  std::ranges::sort(found, {}, [](const auto* thread) { return thread->who.born_ns; });
  return found;
}

Trial::Threads Trial::named(std::string_view name) const {
  Threads found = named_like(name);
  std::erase_if(found, [&](const auto* thread) { return thread->who.comm != name; });
  return found;
}

const analysis::ThreadReport* Trial::thread(timeline::ThreadIndex index) const {
  const auto at =
      std::ranges::find(report.threads, index, [](const auto& thread) { return thread.who.index; });
  return at == report.threads.end() ? nullptr : &*at;
}

const analysis::UserReport* Trial::user(std::string_view name) const {
  const auto at = std::ranges::find(
      report.user_threads, name, [](const auto& user) { return std::string_view(user.who.name); });
  return at == report.user_threads.end() ? nullptr : &*at;
}

Window Trial::together(const Threads& threads) {
  Window window{.from_ns = 0, .to_ns = std::numeric_limits<std::uint64_t>::max()};
  for (const auto* thread : threads) {
    window.from_ns = std::max(window.from_ns, thread->who.born_ns);
    window.to_ns = std::min(window.to_ns, thread->who.gone_ns);
  }
  return threads.empty() ? Window{} : window;
}

std::uint64_t Trial::run_ns(const Threads& threads, Window window) const {
  std::uint64_t sum = 0;
  for (const auto& slice : stretches.slices) {
    const bool wanted = std::ranges::any_of(
        threads, [&](const auto* thread) { return thread->who.index == slice.thread; });
    if (wanted) sum += window.share(slice.begin_ns, slice.end_ns);
  }
  return sum;
}

std::vector<std::uint64_t> count_at_once(
    const std::vector<std::pair<std::uint64_t, std::uint64_t>>& stretches, Window window,
    std::size_t most) {
  std::vector<std::pair<std::uint64_t, int>> edges;
  for (const auto& [begin, end] : stretches) {
    if (window.share(begin, end) == 0) continue;
    edges.emplace_back(std::max(begin, window.from_ns), 1);
    edges.emplace_back(std::min(end, window.to_ns), -1);
  }
  std::ranges::sort(edges);  // at one time ends come before begins
  std::vector<std::uint64_t> time(most + 1, 0);
  std::uint64_t since = window.from_ns;
  std::size_t now = 0;
  const auto advance = [&](std::uint64_t to) {
    if (time.size() <= now) time.resize(now + 1, 0);
    time[now] += to - since;
    since = to;
  };
  for (const auto& [at, change] : edges) {
    advance(at);
    now += static_cast<std::size_t>(change);
  }
  advance(window.to_ns);
  return time;
}

std::vector<std::uint64_t> Trial::at_once(const Threads& threads, Window window) const {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> on_cpu;
  for (const auto& slice : stretches.slices) {
    const bool wanted = std::ranges::any_of(
        threads, [&](const auto* thread) { return thread->who.index == slice.thread; });
    if (wanted) on_cpu.emplace_back(slice.begin_ns, slice.end_ns);
  }
  return count_at_once(on_cpu, window, threads.size());
}

std::uint64_t state_ns(const analysis::UserReport& user, timeline::UserState state) {
  const auto index = static_cast<std::size_t>(state);
  return index < user.state_ns.size() ? user.state_ns[index] : 0;
}

std::uint64_t median(std::vector<std::uint64_t> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

Result<Trial> run_trial(const Experiment& experiment, const std::filesystem::path& capture) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe for the workload's numbers");
  const Fd in(ends[0]);
  Fd out(ends[1]);
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail("find this program's own file", error.message());

  collect::Options options;
  options.output = capture;
  options.command = {self.string(), workload_verb, std::string(experiment.id)};
  options.command_stdout = out.get();
  options.whole_machine = true;  // who else ran belongs to the evidence
  const auto outcome = collect::record(options);
  if (!outcome) return std::unexpected(outcome.error());
  out.reset();
  const int status = outcome->command_status.value_or(-1);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return fail(fmt::format("run the workload of {}", experiment.id),
                outcome->interrupted ? "interrupted" : fmt::format("wait status {}", status), {},
                Exit::finding);
  }

  Trial trial;
  trial.stretches.with_user_spans = experiment.user_spans;
  trial.workload = parse_numbers(read_all(in.get()));
  const std::array<timeline::Sink*, 1> sinks = {&trial.stretches};
  auto report = report::load(capture, {}, sinks);
  if (!report) return std::unexpected(report.error());
  trial.report = std::move(*report);
  return trial;
}

}  // namespace schedscope::lab
