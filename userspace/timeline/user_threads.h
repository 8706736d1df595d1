// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "schema/record.h"
#include "timeline/flat_map.h"
#include "timeline/kernel.h"
#include "timeline/sink.h"
#include "timeline/types.h"

namespace schedscope::timeline {

// The user-level half of a timeline: what runtimes told, joined with where their carriers were.
//
// A carrier's stretch is certain only after it has ended, so what is told is held back, by
// process, until all of its carriers are known up to that time; when too much would have to be
// held (a carrier that sleeps for minutes), what is open there is taken for certain.
//
// Sums need O(1) for each thing told and each stretch of a carrier, however many user threads
// are ready: carriers and run queues have clocks that run in one state at a time, and a user
// thread takes a reading when it comes and when it goes.
class UserTimeline final : public CarrierSink {
 public:
  UserTimeline(KernelTimeline& kernel, std::vector<Sink*> sinks);

  void on_user(const schedscope_user& record, std::uint64_t t);
  void on_name(const schedscope_user_name& record, std::uint64_t t);
  // A gap in what the carrier `tid` told; 0: in what all told.
  void on_gap(std::uint32_t tid, std::uint64_t begin_ns, std::uint64_t t);
  // After the kernel's half has finished.
  void finish(std::uint64_t end_ns);

  void carrier_stretch(ThreadIndex thread, State state, std::uint64_t begin_ns,
                       std::uint64_t end_ns) override;
  void carrier_gone(ThreadIndex thread, std::uint64_t at_ns) override;

  [[nodiscard]] const std::vector<UserThread>& threads() const { return threads_; }

 private:
  // Where a user thread is, as far as its runtime told.
  enum class Place : std::uint8_t { parked, ready, current, lost, over };
  // What a carrier's clock runs in.
  enum CarrierState : std::uint8_t { on_cpu, runnable, asleep, not_known, carrier_states };
  // What a run queue's clock runs in: a carrier is on a CPU, none is, or that is not known.
  enum QueueState : std::uint8_t { served, unserved, unclear, queue_states };
  using Reading = std::array<std::uint64_t, carrier_states>;

  struct User {
    Place place = Place::lost;
    bool ready_next = false;  // told to be ready while it was current
    std::uint32_t queue = no_index;
    std::uint32_t carrier = no_index;
    std::uint32_t ready_slot = 0;  // in its queue's list of ready ones
    std::uint64_t since = 0;       // it has been there, or its last span ended
    std::uint64_t gaps_seen = 0;   // of its queue
    Reading reading{};             // of its carrier's or its queue's clock when it came
  };

  struct Carrier {
    ThreadIndex thread = no_index;
    std::uint32_t tid = 0;
    std::uint32_t process = no_index;
    std::uint32_t queue = no_index;
    UserIndex current = no_index;
    bool joined = false;  // counted in its queue
    bool gone = false;    // the kernel's half told so; what came before may be still pending
    State kernel_state = State::unknown;
    CarrierState state = not_known;
    std::uint64_t from = 0;  // it is a carrier
    std::uint64_t since = 0;
    std::uint64_t certain_until = 0;
    Reading clock{};
    std::string runtime;
  };

  // A run queue, and the carriers that serve it.
  struct Queue {
    QueueState state = unclear;
    bool hostages_open = false;
    std::uint32_t last_off = no_index;                     // carrier that left its CPU last
    std::array<std::uint32_t, carrier_states> in_state{};  // carriers
    std::vector<UserIndex> ready;
    std::uint64_t since = 0;
    Reading clock{};
    std::vector<std::uint64_t> gaps;  // when each began
    HostageSpan hostages;
    std::uint64_t counted_until = 0;  // of hostages.total_ns
  };

  enum class What : std::uint8_t { carrier, gone, move, run, ready, park, end, gap };
  struct Entry {
    std::uint64_t t = 0;
    std::uint32_t carrier = no_index;
    std::uint32_t to = no_index;  // user thread; move: queue
    std::uint32_t order = 0;      // in which entries of one time came
    What what = What::carrier;
    State state = State::unknown;  // carrier
  };

  // User threads move between the queues of a process, so its queues share one watermark.
  struct Process {
    std::vector<std::uint32_t> carriers;
    std::vector<Entry> pending;
    std::uint32_t next_order = 0;
    std::size_t drain_at = 1024;
    std::uint64_t done_until = 0;
  };

  std::uint32_t process_of(std::uint32_t pid);
  std::uint32_t queue_of(std::uint32_t pid, std::uint64_t id);
  std::uint32_t carrier_of(std::uint32_t pid, std::uint32_t tid, std::uint64_t t);
  UserIndex user_of(std::uint32_t pid, std::uint64_t id, std::uint32_t carrier, std::uint64_t t);

  void push(std::uint32_t process, const Entry& entry);
  void drain(Process& process);
  void take_open_for_certain(Process& process, std::uint64_t until);
  void process_until(Process& process, std::uint64_t before);
  void process_entry(const Entry& entry, std::uint64_t t);

  void run(std::uint32_t carrier, UserIndex user, std::uint64_t t);
  void set_carrier(std::uint32_t carrier, State state, std::uint64_t t);
  void remove_carrier(std::uint32_t carrier, std::uint64_t t);
  void move_carrier(std::uint32_t carrier, std::uint32_t queue, std::uint64_t t);
  void update_queue(std::uint32_t queue, std::uint64_t t);
  void lose_queue(std::uint32_t queue, std::uint64_t t);
  void step_off(std::uint32_t carrier, std::uint64_t t);

  // Ends a user thread's stay where it is, and begins one.
  void leave(UserIndex user, std::uint64_t t);
  void leave_current(UserIndex user, std::uint64_t t);
  void leave_ready(UserIndex user, std::uint64_t t);
  void leave_parked(UserIndex user, std::uint64_t t);
  void enter(UserIndex user, Place place, std::uint32_t queue, std::uint32_t carrier,
             std::uint64_t t);

  void advance(Carrier& carrier, std::uint64_t t);
  void advance(Queue& queue, std::uint64_t t);
  void count_hostages(Queue& queue, std::uint64_t t);
  void book(UserIndex user, UserState state, std::uint64_t ns) {
    threads_[user].state_ns[static_cast<std::size_t>(state)] += ns;
  }
  void emit(UserIndex user, UserState state, std::uint64_t until);

  KernelTimeline& kernel_;
  std::vector<Sink*> sinks_;
  bool spans_ = false;  // somebody listens to them
  std::vector<UserThread> threads_;
  std::vector<User> users_;
  std::vector<Carrier> carriers_;
  std::vector<Queue> queues_;
  std::vector<Process> processes_;
  ProcessKeyMap user_by_id_;
  ProcessKeyMap queue_by_id_;
  ProcessKeyMap carrier_by_tid_;
  TidMap process_by_pid_;
  std::vector<std::uint32_t> carrier_of_thread_;
};

}  // namespace schedscope::timeline
