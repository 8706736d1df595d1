// SPDX-License-Identifier: GPL-2.0-only
#include "fiber_work.h"

#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>

#include <fmt/format.h>

#include "schedscope/boost_fiber.hpp"

#include "fibers.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

class Book {
 public:
  explicit Book(std::size_t fibers) : worked_(fibers), open_(fibers) {}

  // The first fiber comes next.
  void begin() { left_ = read(); }

  // Fiber `i` works now.
  void work(std::size_t i, std::uint64_t ns) {
    close();
    open_ = i;
    from_ = left_;
    const std::uint64_t begin = thread_cpu_ns();
    do {
      left_ = read();
    } while (left_.cpu_ns < begin + ns);
    worked_[i].least_ns += left_.cpu_ns - begin;
  }
  // What comes next is another's.
  void close() {
    if (open_ < worked_.size()) {
      const Moment now = read();
      worked_[open_].most_ns += now.cpu_ns - from_.cpu_ns;
      worked_[open_].most_clock_ns += now.clock_ns - from_.clock_ns;
    }
    open_ = worked_.size();
  }
  [[nodiscard]] const std::vector<Worked>& worked() const { return worked_; }

 private:
  struct Moment {
    std::uint64_t clock_ns = 0, cpu_ns = 0;
  };
  static Moment read() {
    const std::uint64_t clock_ns = now_ns();
    return {.clock_ns = clock_ns, .cpu_ns = thread_cpu_ns()};
  }

  std::vector<Worked> worked_;
  std::size_t open_;
  Moment left_;  // the last reading
  Moment from_;  // that before the go that is open
};

std::string name_of_fiber(const FiberWork& work, std::size_t i) {
  return fmt::format("{}-{}", work.name, i);
}

void judge_work(const std::string& who, std::uint64_t running_ns, const Bounds& bounds,
                Verdict& verdict) {
  verdict.at_least(who + ": running ns", running_ns, bounds.least_ns - bounds.least_ns / 100);
  verdict.at_most(who + ": running ns", running_ns, bounds.most_ns + bounds.most_ns / 100);
}

}  // namespace

void to_json(nlohmann::json& json, const Worked& worked) {
  json = {worked.least_ns, worked.most_ns, worked.most_clock_ns};
}

void from_json(const nlohmann::json& json, Worked& worked) {
  worked = {.least_ns = json.at(0), .most_ns = json.at(1), .most_clock_ns = json.at(2)};
}

FibersDone work_in_fibers(const FiberWork& work) {
  boost::fibers::use_scheduling_algorithm<observed<boost::fibers::algo::round_robin>>();
  std::vector<boost::fibers::fiber> fibers;
  Book book(work.fibers);
  for (std::size_t i = 0; i < work.fibers; ++i) {
    fibers.emplace_back(boost::fibers::launch::post, [&work, &book, i] {
      name_fiber(name_of_fiber(work, i).c_str());
      for (std::uint64_t go = 0; go < work.goes; ++go) {
        if (go != 0) boost::this_fiber::yield();
        book.work(i, work.shortest_ns + i * work.step_ns);
      }
    });
  }
  const std::uint64_t begin_ns = now_ns();
  const std::uint64_t run_ns = thread_cpu_ns(), delay_ns = own_run_delay_ns();
  book.begin();
  for (auto& fiber : fibers) fiber.join();
  book.close();
  return {.worked = book.worked(),
          .begin_ns = begin_ns,
          .end_ns = now_ns(),
          .run_ns = thread_cpu_ns() - run_ns,
          .delay_ns = own_run_delay_ns() - delay_ns};
}

FiberSums judge_fibers(const Trial& trial, const FiberWork& work, const std::vector<Worked>& worked,
                       const std::function<Bounds(const Worked&)>& bounds, Verdict& verdict) {
  using timeline::UserState;
  FiberSums sums;
  for (std::size_t i = 0; i < work.fibers; ++i) {
    const std::string name = name_of_fiber(work, i);
    const auto* fiber = find_fiber(trial, name);
    if (fiber == nullptr) {
      verdict.holds(name + ": is in the report, once", false);
      continue;
    }
    const std::uint64_t running = ns_of(*fiber, UserState::running);
    judge_work(name, running, bounds(worked[i]), verdict);
    verdict.equal(name + ": switches to it", fiber->switches, work.goes);
    for (const UserState state : {UserState::blocking, UserState::parked, UserState::unknown}) {
      verdict.equal(fmt::format("{}: {} ns", name, timeline::name_of(state)), ns_of(*fiber, state),
                    std::uint64_t{0});
    }
    sums.worked.least_ns += worked[i].least_ns;
    sums.worked.most_ns += worked[i].most_ns;
    sums.worked.most_clock_ns += worked[i].most_clock_ns;
    sums.running_ns += running;
    sums.preempted_ns += ns_of(*fiber, UserState::preempted);
    sums.hostage_ns += ns_of(*fiber, UserState::hostage);
  }
  judge_work("all fibers", sums.running_ns, bounds(sums.worked), verdict);
  return sums;
}

}  // namespace schedscope::golden
