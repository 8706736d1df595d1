// SPDX-License-Identifier: GPL-2.0-only
//
// crowd FILE THREADS SWITCHES: a capture of that many threads, on four CPUs, that switch as often
// all together: for benchmarks of what reads it.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string_view>

#include "capture/synthetic.h"
#include "capture/writer.h"

namespace {

using namespace schedscope;
using namespace schedscope::capture;

constexpr std::uint16_t cpus = 4;

bool number(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 2 * cpus;
}

// Who they are, as the walk at the start tells.
void introduce(Writer& writer, const synthetic::Crowd& crowd, std::uint64_t start_ns) {
  for (const synthetic::Thread& thread : crowd.threads()) {
    auto task = make_record<schedscope_task>(SCHEDSCOPE_REC_TASK, start_ns, SCHEDSCOPE_CPU_NONE,
                                             SCHEDSCOPE_TASK_BEGIN);
    task.tid = thread.tid;
    task.pid = 1000;
    task.state = 1;
    task.start_ns = 1;
    task.prio = 120;
    std::memcpy(task.comm, "crowd", sizeof("crowd"));
    writer.add(Writer::agent_source, view_of(task));
  }
}

bool write(const char* path, std::uint64_t threads, std::uint64_t switches) {
  Machine machine;
  machine.kernel = "synthetic";
  machine.cpus = machine.cpus_online = cpus;
  auto writer = Writer::create(path, machine);
  if (!writer) return false;
  std::deque<synthetic::Crowd> crowds;  // they point into themselves
  for (std::uint16_t cpu = 0; cpu < cpus; ++cpu) {
    crowds.emplace_back(*writer, cpu, 1000U + cpu, static_cast<std::uint32_t>(threads / cpus));
  }
  machine.start_ns = crowds.front().cpu().now_ns();
  for (const synthetic::Crowd& crowd : crowds) introduce(*writer, crowd, machine.start_ns);
  synthetic::run(*writer, crowds, switches, 50'000);
  std::uint64_t end_ns = 0;
  for (synthetic::Crowd& crowd : crowds) end_ns = std::max(end_ns, crowd.cpu().now_ns());
  return writer->finish(machine, end_ns).has_value();
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t threads = 0, switches = 0;
  if (argc == 4 && number(argv[2], threads) && number(argv[3], switches) &&
      write(argv[1], threads, switches)) {
    return 0;
  }
  std::fputs("crowd: give a file that can be written, how many threads, and how many switches\n",
             stderr);
  return 1;
}
