/* SPDX-License-Identifier: MIT */
/*
 * A Boost.Fiber scheduling algorithm that gives up its carrier's CPU between two fibers when the
 * carrier's time slice is nearly over, so that the kernel need not take it in the middle of one:
 *
 *	boost::fibers::use_scheduling_algorithm<yields_in_time<round_robin>>(margin_ns);
 *
 * Documentation/timeslice.rst says how to choose the margin, and what it changes.
 */
#ifndef YIELDS_IN_TIME_HPP
#define YIELDS_IN_TIME_HPP

#include <sched.h>

#include <chrono>
#include <cstdint>
#include <utility>

#include <boost/fiber/algo/algorithm.hpp>
#include <boost/fiber/context.hpp>

#include "schedscope/timeslice.h"

template <typename Algo>
class yields_in_time final : public Algo {
 public:
  // Made on the carrier's own thread, as Boost does: the page is that thread's. Without a page,
  // or a scheduler that says what is left, this is Algo and no more.
  template <typename... Args>
  explicit yields_in_time(std::uint64_t margin_ns, Args&&... args)
      : Algo(std::forward<Args>(args)...),
        page_(schedscope_timeslice_open()),
        margin_ns_(margin_ns) {}
  ~yields_in_time() override { schedscope_timeslice_close(page_); }

  // No fiber runs at this moment: none holds a lock that other threads wait for, unless it
  // switches with one held.
  boost::fibers::context* pick_next() noexcept override {
    if (page_ != nullptr && schedscope_timeslice_left_ns(page_) < margin_ns_) yield_now_and_then();
    return Algo::pick_next();
  }

 private:
  using clock = std::chrono::steady_clock;

  // A yield changes nothing while nobody else wants the CPU, or while the others have had more
  // of it: so again, but not at every switch of fibers, for it is a system call.
  void yield_now_and_then() noexcept {
    auto const now = clock::now();
    if (now < next_yield_) return;
    ::sched_yield();
    next_yield_ = now + std::chrono::nanoseconds(margin_ns_ / 4);
  }

  const schedscope_slicepage* const page_;
  std::uint64_t const margin_ns_;
  clock::time_point next_yield_{};
};

#endif  // YIELDS_IN_TIME_HPP
