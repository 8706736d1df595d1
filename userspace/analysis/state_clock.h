// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "timeline/types.h"

namespace schedscope::analysis {

// How long a thread has been in each state, as of moments that are asked for when they come, while
// its stretches come later. The difference of two readings is where its time went between them.
class StateClock {
 public:
  using Reading = std::array<std::uint64_t, timeline::state_count>;

  // `at_ns` never goes back for a thread. The answer may be there at once; else it comes from
  // advance(), with `id`, unless its stretches have gone past that moment.
  std::optional<Reading> ask(timeline::ThreadIndex thread, std::uint64_t at_ns, std::uint64_t id) {
    if (thread >= asked_.size()) asked_.resize(thread + 1U);
    asked_[thread] = 1;
    Row& row = rows_[thread];
    if (row.until_ns == at_ns) return row.sums;
    if (row.until_ns < at_ns) row.open.push_back({at_ns, id});
    return std::nullopt;
  }

  // Whether there is anything to know of it.
  [[nodiscard]] bool asked(timeline::ThreadIndex thread) const {
    return thread < asked_.size() && asked_[thread] != 0;
  }

  // A stretch of a thread that was asked for; answer(id, reading) for each moment in it that was
  // asked for.
  template <typename Answer>
  void advance(timeline::ThreadIndex thread, timeline::State state, std::uint64_t begin_ns,
               std::uint64_t end_ns, const Answer& answer) {
    Row& row = rows_.at(thread);
    std::uint64_t& sum = row.sums[static_cast<std::size_t>(state)];
    while (!row.open.empty() && row.open.front().at_ns <= end_ns) {
      Reading reading = row.sums;
      const std::uint64_t at = row.open.front().at_ns;
      reading[static_cast<std::size_t>(state)] += at > begin_ns ? at - begin_ns : 0;
      answer(row.open.front().id, reading);
      row.open.pop_front();
    }
    sum += end_ns - begin_ns;
    row.until_ns = end_ns;
  }

  // The last reading of a thread that was gone by then.
  [[nodiscard]] std::optional<Reading> last_before(timeline::ThreadIndex thread,
                                                   std::uint64_t at_ns) const {
    const auto found = rows_.find(thread);
    if (found == rows_.end() || found->second.until_ns >= at_ns) return std::nullopt;
    return found->second.sums;
  }

 private:
  struct Question {
    std::uint64_t at_ns, id;
  };
  struct Row {
    Reading sums{};
    std::uint64_t until_ns = 0;
    std::deque<Question> open;
  };
  std::unordered_map<timeline::ThreadIndex, Row> rows_;
  std::vector<std::uint8_t> asked_;  // those that have a row: few, and each stretch asks
};

}  // namespace schedscope::analysis
