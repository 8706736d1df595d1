// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/mapping.h"
#include "collect/clocks.h"
#include "schedscope/uthread.h"
#include "schema/record.h"

namespace schedscope::collect {

// Who a carrier is, in the numbers of this process's namespace.
struct Carrier {
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
};

// What a ring was told before recording began: where each user thread stands.
struct UserStanding {
  std::uint64_t stamp = 0;
  std::uint64_t kind = 0;  // SCHEDSCOPE_UTHREAD_* of the last word on it, 0 when it was only named
  std::uint64_t source = 0;
  std::string name;
};

// One carrier's ring, as its reader. The process behind it is not trusted: whatever it writes,
// nothing outside the mapping is touched, no step takes longer than the ring is long, and what
// makes no sense is counted and left out.
class UserRing {
 public:
  using Take = std::function<void(std::uint64_t source, RecordView)>;
  struct Counts {
    std::uint64_t kept = 0;
    std::uint64_t overrun = 0;
    std::uint64_t invalid = 0;
  };

  // Checks `fd` (a sealed memfd that holds a ring) and maps it; `fd` may be closed after.
  // `source` is the capture's number for it.
  [[nodiscard]] static Result<UserRing> open(int fd, std::uint64_t source);

  // As the process wrote them: its own namespace's numbers.
  [[nodiscard]] Carrier claimed() const { return {header().pid, header().tid}; }
  void identify(Carrier carrier) { carrier_ = carrier; }
  [[nodiscard]] const Carrier& carrier() const { return carrier_; }
  [[nodiscard]] std::uint64_t created() const { return header().created; }
  [[nodiscard]] std::uint64_t source() const { return source_; }
  // The thread is over and writes no more.
  [[nodiscard]] bool closed() const { return __atomic_load_n(&header().closed, __ATOMIC_ACQUIRE); }
  [[nodiscard]] const Counts& counts() const { return counts_; }

  // Takes all records so far out of the ring, not for the capture: `standing` learns where each
  // user thread was, by the newest stamp over all rings that it is given to. Recording starts
  // behind them, at `now_ns`.
  void skip_history(std::map<std::uint64_t, UserStanding>& standing, std::uint64_t now_ns);
  // The user thread on this carrier after skip_history().
  [[nodiscard]] std::uint64_t current() const { return current_; }
  // The time of what was given last; behind skip_history() its `now_ns`.
  [[nodiscard]] std::uint64_t last_ns() const { return last_ns_; }

  // Fixes how far the next drain() goes.
  void look() { seen_ = __atomic_load_n(&header().head, __ATOMIC_ACQUIRE); }
  // All records up to look(); `clocks` were read after it.
  void drain(const Clocks& clocks, const Take& take);

  // Gives `kind` of user thread `id` to the capture, at `time_ns`.
  void give(const Take& take, std::uint16_t kind, std::uint64_t id, std::uint64_t time_ns);
  void give_name(const Take& take, std::uint16_t kind, std::uint64_t id, std::string_view name,
                 std::uint64_t time_ns);
  // Says who the carrier is, when that is new.
  void give_carrier(const Take& take, std::uint64_t time_ns);

 private:
  using Record = schedscope_uthread_record;

  UserRing(Mapping mapping, std::uint32_t capacity, std::uint64_t source)
      : mapping_(std::move(mapping)), capacity_(capacity), source_(source) {}

  [[nodiscard]] const schedscope_uthread_header& header() const {
    return *reinterpret_cast<const schedscope_uthread_header*>(mapping_.bytes().data());
  }
  // Copies records tail_… out of the ring, at most up to `end`; what was overwritten before it
  // was whole goes to `lost`. Moves tail_ behind what it took.
  std::span<const Record> copy(std::uint64_t end, std::uint64_t& lost);
  void decode(const Record& record, const Clocks& clocks, const Take& take);
  // The time of a stamp; nothing when it makes no sense.
  [[nodiscard]] std::uint64_t place(std::uint64_t stamp, const Clocks& clocks) const;
  // Adds a part of a name; true when it was the last.
  bool add_name_part(const Record& record);
  void give_lost(const Take& take, std::uint32_t cause, std::uint64_t count, std::uint64_t begin_ns,
                 std::uint64_t end_ns);

  Mapping mapping_;
  std::uint32_t capacity_;  // checked against the mapping; the header's may change later
  std::uint64_t source_;
  Carrier carrier_;
  std::uint64_t tail_ = 0;
  std::uint64_t seen_ = 0;
  std::uint64_t last_ns_ = 0;     // of the last record that was given
  std::uint64_t stamped_ns_ = 0;  // of the latest stamp so far
  std::uint64_t current_ = 0;
  std::uint64_t invalid_ = 0;  // not yet given as lost
  std::uint32_t carrier_seq_ = 1;
  std::uint64_t name_id_ = 0;
  std::string name_;
  std::uint64_t name_parts_ = 0;  // of a name that goes on
  Counts counts_;
  std::vector<Record> copy_;
};

}  // namespace schedscope::collect
