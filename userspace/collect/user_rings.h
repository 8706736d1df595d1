// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "collect/clocks.h"
#include "collect/user_ring.h"
#include "schema/record.h"

namespace schedscope::collect {

// All user-thread rings of the machine: those that runtimes announce (see uthread.h) and those
// that were there before. A ring stays until its thread or process is over and all is read.
class UserRings {
 public:
  // Whether a process's rings are wanted; none given: all are.
  using Filter = std::function<bool(std::uint32_t pid)>;
  using Take = UserRing::Take;

  struct Stats {
    std::uint64_t rings = 0;    // found so far
    std::uint64_t refused = 0;  // descriptors that were no sound ring, or one too many
    std::uint64_t kept = 0;     // records given to the capture
    std::uint64_t overrun = 0;  // records overwritten before they were read
    std::uint64_t invalid = 0;  // records that made no sense
    [[nodiscard]] std::uint64_t produced() const { return kept + overrun + invalid; }
  };

  // Listens from here on; what processes tell from here on belongs to the recording. Errors:
  // no socket can be made. That another recorder listens is a warning().
  [[nodiscard]] static Result<UserRings> create(Filter wanted = {});

  // "" or what will not be seen.
  [[nodiscard]] const std::string& warning() const { return warning_; }
  // Readable when a ring was announced.
  [[nodiscard]] int fd() const { return socket_.get(); }

  // Finds the rings that exist, by a walk through /proc. Once, when recording begins.
  void discover();
  // Takes up announced rings and reads all rings to where they are now. `clocks` are read once.
  // Records of one ring come in time order, under a source number of its own from
  // Writer::carrier_source on.
  void drain(Clocks& clocks, const Take& take);

  [[nodiscard]] Stats stats() const;

 private:
  using FileId = std::pair<dev_t, ino_t>;
  struct Process {
    Fd pid_fd;  // invalid: it was over before we looked
    std::uint64_t rings = 0;
    std::map<std::uint64_t, UserStanding> standing;  // until the next drain
  };
  struct Entry {
    UserRing ring;
    FileId file;
    bool had_history = false;
  };

  UserRings() = default;
  void receive();
  void receive_from(const struct msghdr& message);
  void scan_process(std::uint32_t pid);
  void scan_all();
  void take_up(Fd fd, std::uint32_t pid, bool announced);
  void give_standing(const Take& take);
  [[nodiscard]] static bool is_over(const Process& process);

  Fd socket_;
  Filter wanted_;
  std::string warning_;
  std::uint64_t began_ = 0;         // stamp
  std::uint64_t queue_length_ = 0;  // datagrams that the socket holds
  std::uint64_t next_source_ = 0;
  std::uint64_t scanned_ns_ = 0;
  bool scan_wanted_ = false;  // an announcement may have been dropped
  std::list<Entry> rings_;
  std::map<std::uint32_t, Process> processes_;
  std::set<FileId> files_;
  Stats gone_;  // of rings that are closed
};

}  // namespace schedscope::collect
