// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace schedscope::collect {

// Who observes; with both, the module's records are the proof of BPF's.
enum class Witnesses : std::uint8_t { bpf, module, both };
// By their names, as in `record --witness`.
inline constexpr std::array<std::pair<std::string_view, Witnesses>, 3> witness_names = {
    {{"bpf", Witnesses::bpf}, {"module", Witnesses::module}, {"both", Witnesses::both}}};

// Only the last part of a recording is kept, in memory, until it is wanted: on SIGUSR1, when a
// limit is passed, and at the end. Then recording begins anew.
struct FlightOptions {
  std::chrono::nanoseconds span{0};
  std::uint64_t most_bytes = 256ULL << 20;  // of memory, for what is kept
  std::uint64_t wait_ns = 0;                // a thread waits so long; 0: as long as it likes
  std::uint64_t slice_ns = 0;               // a slice is so long; likewise
  std::uint32_t most_files = 10;            // then recording is over
  // Why a capture of the last part is to be written, or "". Called in a thread of its own, for each
  // part; what comes after `to_ns` is not all there. When stopped, the answer is not wanted.
  std::function<Result<std::string>(const std::filesystem::path& capture, std::uint64_t to_ns,
                                    std::stop_token stop)>
      look;
};

struct Outcome;

// What to record, and where to. Nothing selected is the whole machine.
struct Options {
  std::filesystem::path output = "schedscope.data";
  Witnesses witnesses = Witnesses::bpf;
  std::vector<std::uint32_t> pids;
  std::vector<std::uint32_t> tids;
  std::vector<std::string> cgroups;  // paths below the cgroup2 mount: who is in it at the time
  std::vector<std::string> comms;    // globs: whose name matches at the time
  bool interrupts = false;           // also what they take of slices
  bool eevdf = false;                // also where fair threads stand at each switch
  std::optional<std::chrono::nanoseconds> duration;
  std::optional<FlightOptions> flight;  // the files' names are that of `output` and a time
  bool tally = false;  // count slices and stays in run queues; but for a flight, nothing else
  std::vector<std::string>
      command;                   // recorded with its children, unless other things are selected too
  bool whole_machine = false;    // with a command: record everything while it runs
  std::uint64_t ring_bytes = 0;  // of each CPU, power of two; 0: the default
  int realtime = 0;              // priority of the recorder among real-time threads; 0: it is none
  bool stacks = false;           // with where threads go to sleep
  int command_stdout = -1;       // where the command's stdout goes; -1: ours
  // Of a flight recorder: a file was written, and recording goes on.
  std::function<void(const Outcome&)> written{};
  // What the user is to know while it goes on, a sentence each; may be empty.
  std::function<void(const std::string&)> tell{};
};

// How a recording went, or a part of it that was written.
struct Outcome {
  std::filesystem::path file;
  std::string trigger;  // why what a flight recorder keeps was written before the end; else ""
  std::uint64_t start_ns = 0, end_ns = 0;
  std::uint64_t records = 0;    // kept
  std::uint64_t lost = 0;       // all causes,
  std::uint64_t ring_full = 0;  // and this one
  std::uint64_t file_bytes = 0;
  std::optional<int> command_status;  // as from waitpid
  bool interrupted = false;           // SIGINT or SIGTERM ended it
  std::string warning;                // "" or what went wrong on the way (full disk, …)
};

// Records until the command ends, the duration is over or SIGINT or SIGTERM comes; the capture
// is whole in each case. Of a flight recorder: the outcome of the last file. Not root, no BTF, a
// command that does not exist, no module where it is to observe: an error, and no file.
[[nodiscard]] Result<Outcome> record(const Options& options);

}  // namespace schedscope::collect
