// SPDX-License-Identifier: GPL-2.0-only
#include "collect/switchbench.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/fd.h"
#include "collect/ledger.h"

namespace schedscope::collect {
namespace {

constexpr std::uint64_t switches_wanted = 20'000;
constexpr std::uint64_t time_most_ns = 1'000'000'000;

// A child that lends its address space to the open file `fd`, and waits until it is ended.
class Lender {
 public:
  static Result<Lender> create(int fd) {
    std::array<int, 2> ready{};
    if (::pipe2(ready.data(), O_CLOEXEC) != 0) return fail_errno("make a pipe");
    const Fd read_end(ready[0]);
    Fd write_end(ready[1]);
    const pid_t pid = ::fork();
    if (pid < 0) return fail_errno("make a child process");
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::ioctl(fd, SCHEDSCOPE_IOC_LEND_MM, 0) != 0) ::_exit(1);
      (void)!::write(write_end.get(), "", 1);
      for (;;) ::pause();
    }
    Lender lender(pid);
    write_end.reset();
    char byte = 0;
    if (::read(read_end.get(), &byte, 1) == 1) return lender;
    return fail("lend an address space to the module", "the module refused it",
                "load the module that belongs to this program");
  }
  Lender(Lender&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  Lender& operator=(Lender&&) = delete;
  ~Lender() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  explicit Lender(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

Result<Fd> open_device() {
  Fd fd(::open(Ledger::device, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno("open /dev/schedscope", "load the module, and run as root");
  return fd;
}

std::uint32_t kernel_name_of(SwitchSpace space) {
  switch (space) {
    case SwitchSpace::same:
      return SCHEDSCOPE_SWITCHBENCH_MM_SAME;
    case SwitchSpace::other:
      return SCHEDSCOPE_SWITCHBENCH_MM_OTHER;
    case SwitchSpace::none:
      break;
  }
  return SCHEDSCOPE_SWITCHBENCH_MM_NONE;
}

SwitchCost cost_of(const schedscope_switchbench& bench) {
  SwitchCost cost;
  cost.switches = bench.switches;
  cost.min_ns = bench.min_ns;
  cost.max_ns = bench.max_ns;
  cost.median_ns = median_of(bench);
  if (bench.switches != 0) {
    cost.mean_ns = static_cast<double>(bench.total_ns) / static_cast<double>(bench.switches);
  }
  // The benchmark reads the clock once within what it measures. The probe reads it twice, once
  // of which is in its own time.
  cost.instruments_ns = 2 * static_cast<double>(bench.clock_ns);
  if (bench.probe_runs != 0) {
    cost.instruments_ns +=
        static_cast<double>(bench.probe_ns) / static_cast<double>(bench.probe_runs);
  }
  return cost;
}

}  // namespace

double median_of(const schedscope_switchbench& bench) {
  const auto begin_of = [](std::size_t bucket) {
    return bucket < 8 ? bucket : (8 + bucket % 8) << (bucket / 8 - 1);
  };
  std::uint64_t counted = 0;
  for (std::size_t bucket = 0; bucket < SCHEDSCOPE_SWITCHBENCH_BUCKETS; bucket++) {
    counted += std::span(bench.hist)[bucket];
    if (counted * 2 < bench.switches || counted == 0) continue;
    const auto begin = static_cast<double>(begin_of(bucket));
    return (begin + static_cast<double>(begin_of(bucket + 1)) - 1) / 2;
  }
  return 0;
}

Result<SwitchCost> measure_switch(int cpu, SwitchSpace space) {
  const auto device = open_device();
  if (!device) return std::unexpected(device.error());
  schedscope_switchbench bench{};
  bench.bytes = sizeof(bench);
  bench.how = SCHEDSCOPE_SWITCHBENCH_YIELD;
  bench.mm = kernel_name_of(space);
  bench.lender_fd = -1;
  bench.cpus[0] = bench.cpus[1] = static_cast<std::uint32_t>(cpu);
  bench.switches_max = switches_wanted;
  bench.time_max_ns = time_most_ns;

  Fd lent;
  std::optional<Lender> lender;
  if (space == SwitchSpace::other) {
    auto second = open_device();
    if (!second) return std::unexpected(second.error());
    lent = std::move(*second);
    auto child = Lender::create(lent.get());
    if (!child) return std::unexpected(child.error());
    lender.emplace(std::move(*child));
    bench.lender_fd = lent.get();
  }
  if (::ioctl(device->get(), SCHEDSCOPE_IOC_SWITCHBENCH, &bench) == 0) return cost_of(bench);
  return fail_errno("measure a switch in the kernel", "run as root, and not twice at once");
}

}  // namespace schedscope::collect
