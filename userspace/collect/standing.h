// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "schema/record.h"

namespace schedscope::collect {

// What is told once and holds from then on: who the neighbours of recorded threads are, the paths
// of cgroups, carriers, and user threads with their names and states. A capture that begins later
// must be told again.
class Standing {
 public:
  void see(std::uint64_t source, RecordView record);

  using Take = std::function<void(std::uint64_t source, RecordView)>;
  using IsAlive = std::function<bool(std::uint32_t tid)>;
  // Tells what still holds, as of `now_ns`; of user threads as of their carrier's last record.
  // What is known of threads that are not alive any more is forgotten.
  void tell(std::uint64_t now_ns, const IsAlive& is_alive, const Take& take);
  // The paths of cgroups alone.
  void tell_cgroups(std::uint64_t now_ns, const Take& take) const;

 private:
  struct UserThread {
    std::uint64_t source = 0;  // of the carrier that told its state
    bool known = false;        // whether it is ready or parked
    bool parked = false;
    schedscope_user_name name{};  // kind 0: none
  };
  struct Carrier {
    std::uint64_t last_ns = 0;
    std::uint32_t tid = 0, pid = 0;
    bool known = false;           // which user thread is its current one:
    std::uint64_t current = 0;    // 0: the runtime itself
    schedscope_user_name name{};  // kind 0: not told yet
  };
  struct Bystander {
    schedscope_task task{};
    schedscope_namespace ns{};  // kind 0: it is in the first one
  };

  void see_user(Carrier& carrier, std::uint64_t source, const schedscope_user& record);
  void see_name(Carrier& carrier, std::uint64_t source, const schedscope_user_name& record);
  void see_task(const schedscope_task& record);
  void lose(std::uint64_t source);
  void forget_the_dead(const IsAlive& is_alive);
  void tell_carrier(std::uint64_t source, const Carrier& carrier, const Take& take) const;

  std::map<std::uint32_t, Bystander> bystanders_;                                 // by tid
  std::map<std::pair<std::uint64_t, std::uint32_t>, schedscope_cgroup> cgroups_;  // by id, part
  std::map<std::uint64_t, Carrier> carriers_;                                     // by source
  std::map<std::pair<std::uint32_t, std::uint64_t>, UserThread> users_;           // by pid, id
};

}  // namespace schedscope::collect
