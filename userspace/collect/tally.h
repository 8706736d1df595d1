// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"
#include "collect/witness.h"
#include "schema/record.h"

namespace schedscope::collect {

// Histograms of slices and stays in run queues, counted in the kernel, of the whole machine.
class Tally {
 public:
  // Counts from now on until it is destroyed. Errors: no BTF, no rights, a kernel that keeps no
  // such times (Exit::machine).
  [[nodiscard]] static Result<std::shared_ptr<Tally>> create();
  ~Tally();
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  // What was counted so far: a SCHEDSCOPE_REC_TALLY for each of a CPU's histograms that has
  // anything in it.
  [[nodiscard]] Result<void> read(const std::function<void(RecordView)>& take) const;

  // Has the program timed from now on, which itself costs; or no longer.
  void measure(bool on);
  struct Measured {
    std::uint64_t run_ns = 0, runs = 0;
  };
  [[nodiscard]] Measured measured() const;

 private:
  struct State;
  explicit Tally(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// In the place of a witness when a tally is all that is wanted: it sees no event.
class NoEvents final : public Witness {
 public:
  explicit NoEvents(std::shared_ptr<Tally> tally) : tally_(std::move(tally)) {}

  [[nodiscard]] Result<void> select(std::uint32_t) override { return {}; }
  [[nodiscard]] bool follows_rules() const override { return false; }
  [[nodiscard]] Result<void> start() override { return {}; }
  [[nodiscard]] Result<void> stop() override { return {}; }
  [[nodiscard]] Result<void> drain(const Take&) override { return {}; }
  void drain_rest(const Take&) override {}
  [[nodiscard]] Result<void> walk(std::uint16_t, const std::function<void(RecordView)>&) override {
    return {};
  }
  [[nodiscard]] Result<std::vector<schedscope_cpu_stats>> stats() override;
  void measure(bool on) override { tally_->measure(on); }
  [[nodiscard]] std::uint64_t measured_switches() const override { return tally_->measured().runs; }
  [[nodiscard]] const std::vector<std::string>& missing() const override { return missing_; }
  [[nodiscard]] std::uint64_t selection_failed() const override { return 0; }

 private:
  std::shared_ptr<Tally> tally_;
  std::vector<std::string> missing_;
};

}  // namespace schedscope::collect
