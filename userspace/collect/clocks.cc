// SPDX-License-Identifier: GPL-2.0-only
#include "collect/clocks.h"

#include <time.h>

#include <algorithm>
#include <iterator>

#include "schedscope/uthread.h"

namespace schedscope::collect {
namespace {

// A preemption or an interrupt between two readings spoils a try; all of them, hardly ever.
constexpr int tries = 16;
// Readings kept: at 25 ms between drains, more than a record can wait in a ring.
constexpr std::size_t points_kept = 256;

std::uint64_t read_clock(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

std::uint64_t Clocks::now_ns() {
  return read_clock(CLOCK_MONOTONIC);
}
std::uint64_t Clocks::stamp() {
  return schedscope_uthread_stamp_();
}

void Clocks::mark() {
  Point best{};
  std::uint64_t width = UINT64_MAX;
  std::uint64_t first_ns = 0, last_ns = 0, spent = 0;
  for (int i = 0; i < tries; i++) {
    const std::uint64_t before = stamp();
    const std::uint64_t ns = now_ns();
    const std::uint64_t after = stamp();
    if (i == 0) first_ns = ns;
    last_ns = ns;
    if (after < before) continue;  // moved to a CPU whose counter is behind
    spent += after - before;
    if (after - before >= width) continue;
    width = after - before;
    best = {.stamp = before + width / 2, .ns = ns};
  }
  // The tries took `last - first` ns and at least `spent` ticks.
  error_ns_ = spent == 0 ? 0
                         : static_cast<std::uint64_t>(static_cast<double>(width) *
                                                      static_cast<double>(last_ns - first_ns) /
                                                      static_cast<double>(spent));
  if (width == UINT64_MAX) best = {.stamp = stamp(), .ns = now_ns()};
  if (!points_.empty() && (best.stamp <= points_.back().stamp || best.ns <= points_.back().ns)) {
    return;
  }
  points_.push_back(best);
  if (points_.size() > points_kept) points_.pop_front();
}

schedscope_clock Clocks::sample() {
  auto best = make_record<schedscope_clock>(SCHEDSCOPE_REC_CLOCK, 0);
  best.error_ns = UINT64_MAX;
  for (int i = 0; i < tries; i++) {
    auto one = make_record<schedscope_clock>(SCHEDSCOPE_REC_CLOCK, now_ns());
    one.tsc = stamp();
    one.boot_ns = read_clock(CLOCK_BOOTTIME);
    one.real_ns = read_clock(CLOCK_REALTIME);
    one.error_ns = now_ns() - one.rec.time_ns;
    one.rec.time_ns += one.error_ns / 2;
    if (one.error_ns < best.error_ns) best = one;
  }
  if constexpr (SCHEDSCOPE_UTHREAD_CLOCK_HERE_ != SCHEDSCOPE_UTHREAD_CLOCK_COUNTER) best.tsc = 0;
  mark();
  return best;
}

std::uint64_t Clocks::along(const Point& from, const Point& to, std::uint64_t stamp) {
  if (from.stamp == to.stamp) return from.ns;
  const double rate =
      static_cast<double>(to.ns - from.ns) / static_cast<double>(to.stamp - from.stamp);
  // Stamps come from outside: a century is far enough, and what follows cannot overflow.
  const auto ns = [rate](std::uint64_t ticks) {
    return static_cast<std::uint64_t>(std::min(static_cast<double>(ticks) * rate, 3.2e18));
  };
  if (stamp >= from.stamp) return from.ns + ns(stamp - from.stamp);
  return from.ns - std::min(ns(from.stamp - stamp), from.ns);
}

std::uint64_t Clocks::to_ns(std::uint64_t stamp) const {
  const Point& last = points_.back();
  if (stamp < points_.front().stamp) return along(points_.front(), last, stamp);
  if (stamp >= last.stamp) {
    return last.ns +
           (along(points_.front(), last, stamp) - along(points_.front(), last, last.stamp));
  }
  // Nearly always the newest stretch.
  auto to = std::prev(points_.end());
  if (stamp < std::prev(to)->stamp) {
    to = std::upper_bound(
        points_.begin(), points_.end(), stamp,
        [](std::uint64_t value, const Point& point) { return value < point.stamp; });
  }
  return along(*std::prev(to), *to, stamp);
}

}  // namespace schedscope::collect
