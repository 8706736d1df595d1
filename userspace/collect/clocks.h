// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <deque>

#include "schema/record.h"

namespace schedscope::collect {

// The machine's clocks, read together, and the way from the stamps of user-thread rings (the
// processor's counter) to CLOCK_MONOTONIC: a straight line between each two readings.
class Clocks {
 public:
  Clocks() { mark(); }

  // CLOCK_MONOTONIC.
  [[nodiscard]] static std::uint64_t now_ns();
  // What a ring's writer would stamp now.
  [[nodiscard]] static std::uint64_t stamp();

  // Reads counter and CLOCK_MONOTONIC together: the tightest of several tries.
  void mark();
  // The same, with the other clocks, for the capture.
  [[nodiscard]] schedscope_clock sample();

  // The newest reading.
  [[nodiscard]] std::uint64_t marked_ns() const { return points_.back().ns; }
  [[nodiscard]] std::uint64_t marked_stamp() const { return points_.back().stamp; }
  // How far mark()'s newest reading may be off.
  [[nodiscard]] std::uint64_t error_ns() const { return error_ns_; }

  // CLOCK_MONOTONIC at `stamp`. Between two readings as exact as they are; outside of all, along
  // the line through the first and the last.
  [[nodiscard]] std::uint64_t to_ns(std::uint64_t stamp) const;

 private:
  struct Point {
    std::uint64_t stamp, ns;
  };
  [[nodiscard]] static std::uint64_t along(const Point& from, const Point& to, std::uint64_t stamp);

  std::deque<Point> points_;  // newest last, both values rising
  std::uint64_t error_ns_ = 0;
};

}  // namespace schedscope::collect
