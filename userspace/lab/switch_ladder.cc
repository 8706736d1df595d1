// SPDX-License-Identifier: GPL-2.0-only
#include "lab/switch_ladder.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <span>
#include <thread>

#include "base/fd.h"
#include "lab/workload.h"

namespace schedscope::lab {
namespace {

constexpr std::size_t line_bytes = 64;

// Memory that both partners see, also when they are processes.
struct Shared {
  std::atomic<std::uint32_t> turn;
};

class SharedPage {
 public:
  SharedPage()
      : at_(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0)) {}
  SharedPage(const SharedPage&) = delete;
  SharedPage& operator=(const SharedPage&) = delete;
  ~SharedPage() { ::munmap(at_, sizeof(Shared)); }
  [[nodiscard]] Shared& get() const { return *static_cast<Shared*>(at_); }

 private:
  void* at_;
};

struct Ways {
  std::array<Fd, 2> read_ends, write_ends;
  SharedPage page;

  Ways() {
    for (std::size_t i = 0; i < 2; i++) {
      std::array<int, 2> ends{-1, -1};
      (void)!::pipe2(ends.data(), O_CLOEXEC);
      read_ends.at(i) = Fd(ends[0]);
      write_ends.at(i) = Fd(ends[1]);
    }
  }
};

void futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

void await_turn(const Rung& rung, Ways& ways, std::uint32_t me) {
  char byte = 0;
  std::atomic<std::uint32_t>& turn = ways.page.get().turn;
  switch (rung.means) {
    case Means::pipe:
      (void)!::read(ways.read_ends.at(me).get(), &byte, 1);
      return;
    case Means::futex:
      while (turn != me) futex(turn, FUTEX_WAIT, 1 - me);
      return;
    case Means::yield:
      return;
  }
}

void pass_turn(const Rung& rung, Ways& ways, std::uint32_t me) {
  std::atomic<std::uint32_t>& turn = ways.page.get().turn;
  switch (rung.means) {
    case Means::pipe:
      (void)!::write(ways.write_ends.at(1 - me).get(), "", 1);
      return;
    case Means::futex:
      turn = 1 - me;
      futex(turn, FUTEX_WAKE, 1);
      return;
    case Means::yield:
      ::sched_yield();
      return;
  }
}

void touch(std::span<const char> memory) {
  char sum = 0;
  for (std::size_t i = 0; i < memory.size(); i += line_bytes)
    sum = static_cast<char>(sum + memory[i]);
  volatile char used = sum;
  (void)used;
}

void take_turns(const Rung& rung, Ways& ways, std::uint32_t me, int turns) {
  std::vector<char> memory(rung.touched_bytes, 1);
  for (int i = 0; i < turns; i++) {
    await_turn(rung, ways, me);
    touch(memory);
    pass_turn(rung, ways, me);
  }
}

}  // namespace

void climb(const Rung& rung, int turns) {
  Ways ways;
  // The first turn is the first partner's.
  if (rung.means == Means::pipe) (void)!::write(ways.write_ends[0].get(), "", 1);
  const auto partner = [&](std::uint32_t me) {
    return [&, me] {
      name_thread(rung.name);
      take_turns(rung, ways, me, turns);
    };
  };
  if (rung.partners == Partners::threads) {
    std::thread first(partner(0)), second(partner(1));
    first.join();
    second.join();
    return;
  }
  const pid_t first = child(rung.name, partner(0));
  const pid_t second = child(rung.name, partner(1));
  wait_for(first);
  wait_for(second);
}

double touch_ns(std::size_t bytes) {
  constexpr int rounds = 200;
  std::vector<char> memory(bytes, 1);
  touch(memory);
  std::vector<std::uint64_t> times;
  for (int i = 0; i < rounds; i++) {
    const std::uint64_t began = now_ns();
    touch(memory);
    times.push_back(now_ns() - began);
  }
  return static_cast<double>(median(times));
}

std::vector<double> switch_ns(const Trial& trial, const Rung& rung) {
  std::vector<double> costs;
  const auto partners = trial.named(rung.name);
  for (std::size_t i = 0; i + 1 < partners.size(); i += 2) {
    const timeline::ThreadIndex first = partners[i]->who.index, second = partners[i + 1]->who.index;
    std::uint64_t run_ns = 0, switches = 0;
    for (const auto& slice : trial.stretches.slices) {
      const bool of_first = slice.thread == first;
      // Only turns that were passed on: not the births, the ends, nor what others cut in on.
      if ((!of_first && slice.thread != second) || slice.next != (of_first ? second : first))
        continue;
      run_ns += slice.end_ns - slice.begin_ns;
      ++switches;
    }
    if (switches != 0) {
      costs.push_back(static_cast<double>(run_ns) / static_cast<double>(switches));
    }
  }
  return costs;
}

Interval median_interval(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const std::size_t count = values.size();
  // Leaves out as many at each end as the binomial distribution allows within 2.5 %.
  double probability = 1;
  for (std::size_t i = 0; i < count; i++) probability /= 2;
  double below = probability;
  std::size_t out = 0;
  while (out + 1 < count / 2) {
    probability *= static_cast<double>(count - out) / static_cast<double>(out + 1);
    if (below + probability > 0.025) break;
    below += probability;
    ++out;
  }
  if (below > 0.025) out = 0;
  const double middle =
      count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
  return {.low = values[out], .middle = middle, .high = values[count - 1 - out]};
}

std::vector<double> ratios(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> found;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); i++) {
    if (a[i] > 0) found.push_back(b[i] / a[i]);
  }
  return found;
}

}  // namespace schedscope::lab
