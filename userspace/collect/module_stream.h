// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/fd.h"
#include "collect/witness.h"

namespace schedscope::collect {

// The module as a witness: its event stream, read through a descriptor of its own. There is
// one stream at a time on a machine.
class ModuleStream final : public Witness {
 public:
  // `second`: another witness is the first: its records bear SCHEDSCOPE_REC_SECOND.
  // Errors: the module is not loaded, another recorder has its stream (Exit::machine).
  [[nodiscard]] static Result<std::unique_ptr<ModuleStream>> create(const WitnessOptions& options,
                                                                    bool second);

  [[nodiscard]] Result<void> select(std::uint32_t tid) override;
  [[nodiscard]] bool follows_rules() const override { return false; }
  [[nodiscard]] Result<void> start() override;
  [[nodiscard]] Result<void> stop() override;
  [[nodiscard]] Result<void> drain(const Take& take) override;
  void drain_rest(const Take&) override {}
  [[nodiscard]] Result<void> walk(std::uint16_t flag,
                                  const std::function<void(RecordView)>& take) override;
  [[nodiscard]] Result<std::vector<schedscope_cpu_stats>> stats() override;
  // A module of ABI 2.1 cannot.
  void measure(bool on) override;
  // Those whose records were drained: of a selection there are more.
  [[nodiscard]] std::uint64_t measured_switches() const override { return measured_switches_; }
  [[nodiscard]] const std::vector<std::string>& missing() const override { return missing_; }
  [[nodiscard]] std::uint64_t selection_failed() const override { return 0; }

 private:
  ModuleStream(Fd fd, bool second);
  // The words that were read, in buffer_.
  [[nodiscard]] Result<std::span<std::uint64_t>> read_some();
  // The records of `words`; with `asked` up to the first that was not asked for. How many words
  // they took.
  template <typename TakeRecord>
  [[nodiscard]] Result<std::size_t> take_while(std::span<std::uint64_t> words, bool asked,
                                               const TakeRecord& take);
  [[nodiscard]] Result<void> take_asked(const std::function<void(RecordView)>& take);

  Fd fd_;
  bool second_;
  bool measuring_ = false;
  std::uint64_t measured_switches_ = 0;
  std::vector<std::uint64_t> buffer_;
  std::vector<std::uint64_t> held_;  // records of the rings that came with what was asked for
  std::vector<std::string> missing_;
};

}  // namespace schedscope::collect
