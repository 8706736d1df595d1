// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "schema/record.h"

namespace schedscope::collect {

// Watches the records of a recording for a wait or a slice that is too long; also one that is
// not over yet. A gap ends all that is open: what is not known is not too long.
class Trigger {
 public:
  struct Limits {
    std::uint64_t wait_ns = 0, slice_ns = 0;  // 0: none
    [[nodiscard]] bool any() const { return wait_ns != 0 || slice_ns != 0; }
  };
  struct Fired {
    bool is_wait = false;  // else a slice
    bool is_over = false;
    std::uint32_t tid = 0;
    std::uint64_t begin_ns = 0, for_ns = 0;
  };

  // Whether a thread's records are all wanted; of others only what concerns such a thread is
  // recorded, and how long they wait or run is not known. None given: all are.
  using IsRecorded = std::function<bool(std::uint32_t tid)>;
  explicit Trigger(Limits limits, IsRecorded is_recorded = {})
      : limits_(limits), is_recorded_(std::move(is_recorded)) {}

  // In the order of each CPU.
  void see(RecordView record);
  // Judges what happened before `certain_ns`: what is seen later has no older record. The first
  // that was too long.
  [[nodiscard]] std::optional<Fired> judge(std::uint64_t certain_ns);
  // Records are missing that were not told of yet: what is open ends here.
  void forget();

 private:
  struct Event {
    enum class What : std::uint8_t { runnable, change, gap, gone, off };
    std::uint64_t at_ns = 0;
    What what = What::runnable;
    bool stays = false;  // change: who leaves the CPU can go on
    std::uint16_t cpu = 0;
    std::uint32_t tid = 0;     // who leaves, or is runnable or gone
    std::uint32_t next = 0;    // change: who comes
    std::uint32_t of_cpu = 0;  // off: which was taken down
  };
  // The events of a CPU, oldest first, from `next` on.
  struct Queue {
    std::vector<Event> events;
    std::size_t next = 0;
    [[nodiscard]] bool has(std::uint64_t before_ns) const {
      return next < events.size() && events[next].at_ns < before_ns;
    }
  };
  struct Running {
    std::uint32_t tid = 0;
    std::uint64_t since_ns = 0;
  };
  static constexpr std::uint64_t none = ~0ULL;
  struct Thread {
    std::uint64_t waits_since_ns = none;
    bool on_cpu = false;
  };

  [[nodiscard]] Queue& queue_of(std::uint16_t cpu);
  void take_all(std::uint64_t certain_ns);
  void take(const Event& event);
  void change(const Event& event);
  void gone(std::uint32_t tid);
  void off(std::uint32_t cpu);
  void check_open(std::uint64_t certain_ns);
  void check(bool is_wait, bool is_over, std::uint32_t tid, std::uint64_t begin_ns,
             std::uint64_t end_ns);

  Limits limits_;
  IsRecorded is_recorded_;
  std::vector<Queue> queues_;     // by CPU
  std::vector<Running> running_;  // by CPU
  std::unordered_map<std::uint32_t, Thread> threads_;
  std::optional<Fired> fired_;
};

// "thread 4711 waited for 25.3 ms", …
[[nodiscard]] std::string describe(const Trigger::Fired& fired);

}  // namespace schedscope::collect
