/* SPDX-License-Identifier: MIT */
/*
 * schedscope/boost_fiber.hpp: Boost.Fiber, seen by schedscope. On each thread that runs fibers,
 * where the program would say use_scheduling_algorithm<Algo>(…):
 *
 *	boost::fibers::use_scheduling_algorithm<schedscope::observed<Algo>>(…);
 *
 * with Algo any scheduling algorithm without properties of its own: round_robin, shared_work,
 * work_stealing or one's own. And, inside a fiber, if wanted:
 *
 *	schedscope::name_fiber("reader");
 *
 * What is told: every fiber's becoming ready, switches, parking (in a mutex, condition variable,
 * channel, join or sleep) and end. The thread's own context is a fiber called "main"; the
 * dispatcher is the runtime itself, id 0. A fiber that another thread makes ready counts as
 * parked until the scheduler of its carrier looks, as does one whose sleep is over.
 *
 * C++14; made for Boost 1.74. Where Boost hides whether a fiber waits, a fiber that yields is
 * parked for the few ns until the algorithm hears that it is ready.
 */
#ifndef SCHEDSCOPE_BOOST_FIBER_HPP
#define SCHEDSCOPE_BOOST_FIBER_HPP

#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include <boost/fiber/algo/algorithm.hpp>
#include <boost/fiber/algo/round_robin.hpp>
#include <boost/fiber/algo/shared_work.hpp>
#include <boost/fiber/algo/work_stealing.hpp>
#include <boost/fiber/context.hpp>
#include <boost/fiber/properties.hpp>
#include <boost/fiber/type.hpp>

#include "schedscope/uthread.h"

namespace schedscope {

namespace detail {

// What is known of a fiber; Boost destroys it with the fiber.
class observed_fiber final : public boost::fibers::fiber_properties {
 public:
  explicit observed_fiber(boost::fibers::context* context) noexcept
      : fiber_properties{context}, id_{schedscope_uthread_new()} {}
  observed_fiber(observed_fiber const&) = delete;
  observed_fiber& operator=(observed_fiber const&) = delete;
  ~observed_fiber() override {
    if (!ended_) schedscope_uthread_end(id_);
  }

  std::uint64_t id() const noexcept { return id_; }
  void set_ended() noexcept { ended_ = true; }

 private:
  std::uint64_t const id_;
  bool ended_ = false;
};

// The fiber's own record, made when it is first met; null for the dispatcher, without memory,
// and where the program's own algorithm has attached something else.
inline observed_fiber* observe(boost::fibers::context* context) noexcept {
  if (context->is_context(boost::fibers::type::dispatcher_context)) return nullptr;
  if (auto* known = context->get_properties()) return static_cast<observed_fiber*>(known);
  auto* made = new (std::nothrow) observed_fiber{context};
  if (made != nullptr) context->set_properties(made);
  return made;
}

// What becomes of a context that gives up its thread: SCHEDSCOPE_UTHREAD_READY, _PARK or _END.
// While this is asked it still holds the lock of what it waits for: nobody can have woken it.
template <typename Context>
auto how_it_leaves(Context const& context, int) noexcept
    -> decltype(context.wait_is_linked(), unsigned{}) {
  if (context.wait_hook_.is_linked() || context.sleep_is_linked()) return SCHEDSCOPE_UTHREAD_PARK;
  if (context.is_context(boost::fibers::type::worker_context) && !context.worker_is_linked())
    return SCHEDSCOPE_UTHREAD_END;
  return SCHEDSCOPE_UTHREAD_READY;
}

// A Boost that does not show it: parked, until the algorithm hears that it is ready.
template <typename Context>
unsigned how_it_leaves(Context const& context, long) noexcept {
  if (context.is_context(boost::fibers::type::worker_context) && !context.worker_is_linked())
    return SCHEDSCOPE_UTHREAD_END;
  return SCHEDSCOPE_UTHREAD_PARK;
}

// Run queues that carriers share: Boost has one of each kind a process.
template <typename Algo>
constexpr std::uint64_t run_queue() noexcept {
  constexpr std::uint64_t no_tid = std::uint64_t{1} << 32;
  if (std::is_base_of<boost::fibers::algo::shared_work, Algo>::value) return no_tid + 1;
  if (std::is_base_of<boost::fibers::algo::work_stealing, Algo>::value) return no_tid + 2;
  return 0;
}

}  // namespace detail

// Algo, and everything that it decides told to schedscope.
template <typename Algo>
class observed final : public Algo {
  static_assert(std::is_base_of<boost::fibers::algo::algorithm, Algo>::value,
                "observed<> takes a scheduling algorithm of Boost.Fiber");
  static_assert(
      !std::is_base_of<boost::fibers::algo::algorithm_with_properties_base, Algo>::value,
      "an algorithm with properties of its own has no room for schedscope's: call uthread.h from "
      "it");

 public:
  template <typename... Args>
  explicit observed(Args&&... args) : Algo(std::forward<Args>(args)...) {
    schedscope_uthread_carrier("boost.fiber", detail::run_queue<Algo>());
    auto* const main = boost::fibers::context::active();
    bool const known = main->get_properties() != nullptr;
    auto* const fiber = detail::observe(main);
    if (!known && fiber != nullptr) schedscope_uthread_name(fiber->id(), "main");
    run(main, 0);
  }

  // Told before the algorithm knows of it: another carrier may run it, and end it, at once.
  void awakened(boost::fibers::context* context) noexcept override {
    if (context == current_) note_direct_switch();
    if (auto* fiber = detail::observe(context)) {
      // A yield: that it is ready was told when it left.
      if (fiber->id() == left_ready_)
        left_ready_ = 0;
      else
        schedscope_uthread_ready(fiber->id());
    }
    Algo::awakened(context);
  }

  boost::fibers::context* pick_next() noexcept override {
    // A fiber that gave up its thread in no way that Boost shows, and that nobody made ready
    // since: a channel's producer that waits for its slot to be taken.
    if (left_ready_ != 0) {
      schedscope_uthread_park(left_ready_);
      left_ready_ = 0;
    }
    auto* const next = Algo::pick_next();
    // Else the dispatcher, which alone is told so, goes on.
    if (next != nullptr) run(next, fiber_ != nullptr ? detail::how_it_leaves(*current_, 0) : 0);
    return next;
  }

 private:
  // Tells that `context` runs, and how the fiber before it, if there is one, leaves.
  void run(boost::fibers::context* context, unsigned how) noexcept {
    auto* const before = fiber_;
    current_ = context;
    fiber_ = detail::observe(context);
    std::uint64_t const id = fiber_ != nullptr ? fiber_->id() : 0;
    if (before == nullptr) {
      schedscope_uthread_switch(id);
      return;
    }
    schedscope_uthread_switch_from(before->id(), how, id);
    if (how == SCHEDSCOPE_UTHREAD_READY) left_ready_ = before->id();
    if (how == SCHEDSCOPE_UTHREAD_END) before->set_ended();
  }

  // launch::dispatch goes to the new fiber without asking the algorithm; the first that is
  // heard of it is that the one before is ready.
  void note_direct_switch() noexcept {
    auto* const now = boost::fibers::context::active();
    if (now != current_) run(now, SCHEDSCOPE_UTHREAD_READY);
  }

  boost::fibers::context* current_ = nullptr;  // runs on this thread now, or is about to
  detail::observed_fiber* fiber_ = nullptr;    // of current_, null for the dispatcher
  std::uint64_t left_ready_ = 0;               // has just left its thread, ready as it seems
};

// Names the fiber that calls. Nothing happens on a thread whose algorithm is not observed.
inline void name_fiber(char const* name) noexcept {
  auto* const properties = boost::fibers::context::active()->get_properties();
  if (auto* fiber = dynamic_cast<detail::observed_fiber*>(properties))
    schedscope_uthread_name(fiber->id(), name);
}

}  // namespace schedscope

#endif  // SCHEDSCOPE_BOOST_FIBER_HPP
