// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <memory>

#include "collect/witness.h"

namespace schedscope::collect {

// The BPF witness: loaded, attached, and read through one ring per CPU.
class Probes final : public Witness {
 public:
  // Loads and attaches. Errors: Exit::machine.
  [[nodiscard]] static Result<std::unique_ptr<Probes>> create(const WitnessOptions& options);
  ~Probes() override;

  [[nodiscard]] Result<void> select(std::uint32_t tid) override;
  [[nodiscard]] bool follows_rules() const override { return true; }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Result<void> stop() override;
  [[nodiscard]] Result<void> drain(const Take& take) override;
  void drain_rest(const Take& take) override;
  [[nodiscard]] Result<void> walk(std::uint16_t flag,
                                  const std::function<void(RecordView)>& take) override;
  [[nodiscard]] Result<std::vector<schedscope_cpu_stats>> stats() override;
  void measure(bool on) override;
  [[nodiscard]] std::uint64_t measured_switches() const override;
  [[nodiscard]] std::optional<ProcessImage> image_of(std::uint32_t pid) override;
  [[nodiscard]] const std::vector<std::string>& missing() const override;
  [[nodiscard]] std::uint64_t selection_failed() const override;

 private:
  struct State;
  explicit Probes(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace schedscope::collect
