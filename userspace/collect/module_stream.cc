// SPDX-License-Identifier: GPL-2.0-only
#include "collect/module_stream.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "collect/clocks.h"
#include "collect/ledger.h"
#include "collect/stream_records.h"

namespace schedscope::collect {
namespace {

constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr std::size_t word_bytes = sizeof(std::uint64_t);

// Of a walk or of the totals, which a read gives before anything that the rings hold.
bool is_asked_for(const schedscope_rec& rec) {
  return rec.cpu == SCHEDSCOPE_CPU_NONE || rec.kind == SCHEDSCOPE_REC_CPU_STATS;
}

std::unexpected<Error> stream_failure(int code) {
  if (code == EBUSY) {
    return fail("open the module's event stream", "another recorder has it",
                "wait until that is done, or leave --witness out");
  }
  return fail_errno("open the module's event stream",
                    code == ENOMEM ? "give smaller rings with --ring"
                                   : "load the module that belongs to this program",
                    Exit::machine, code);
}

}  // namespace

ModuleStream::ModuleStream(Fd fd, bool second)
    : fd_(std::move(fd)), second_(second), buffer_(buffer_bytes / word_bytes) {}

Result<std::unique_ptr<ModuleStream>> ModuleStream::create(const WitnessOptions& options,
                                                           bool second) {
  const auto bytes = ring_bytes_of(options);
  if (!bytes) return std::unexpected(bytes.error());
  const auto ledger = Ledger::open();
  if (!ledger) return std::unexpected(ledger.error());
  const auto info = ledger->info();
  if (!info) return std::unexpected(info.error());

  schedscope_stream wanted{};
  wanted.bytes = sizeof(wanted);
  wanted.flags = options.filtering ? SCHEDSCOPE_STREAM_SELECT : 0;
  wanted.ring_bytes = std::max<std::uint64_t>(*bytes, SCHEDSCOPE_STREAM_RING_MIN);
  wanted.rr_slice_ns = options.rr_slice_ns;
  Fd fd(::ioctl(ledger->fd(), SCHEDSCOPE_IOC_STREAM, &wanted));
  if (!fd.valid()) return stream_failure(errno);

  std::unique_ptr<ModuleStream> stream(new ModuleStream(std::move(fd), second));
  stream->missing_ = what_is_missing({
      .timer = (info->signals & SCHEDSCOPE_SIGNAL_TIMER) != 0,
      .need_resched = (info->signals & SCHEDSCOPE_SIGNAL_NEED_RESCHED) != 0,
      .fair_slice = (info->signals & SCHEDSCOPE_SIGNAL_FAIR_SLICE) != 0,
  });
  return stream;
}

Result<void> ModuleStream::select(std::uint32_t tid) {
  if (::ioctl(fd_.get(), SCHEDSCOPE_STREAM_IOC_SELECT, &tid) == 0) return {};
  // Over before it could be selected: what it did is over, too.
  if (errno == ESRCH) return {};
  return fail_errno(fmt::format("select thread {}", tid));
}

Result<void> ModuleStream::start() {
  if (::ioctl(fd_.get(), SCHEDSCOPE_STREAM_IOC_START) == 0) return {};
  return fail_errno("start the module's event stream");
}

Result<void> ModuleStream::stop() {
  if (::ioctl(fd_.get(), SCHEDSCOPE_STREAM_IOC_STOP) == 0) return {};
  return fail_errno("stop the module's event stream");
}

void ModuleStream::measure(bool on) {
  const std::uint32_t wanted = on ? 1 : 0;
  measuring_ = ::ioctl(fd_.get(), SCHEDSCOPE_STREAM_IOC_MEASURE, &wanted) == 0 && on;
}

Result<std::span<std::uint64_t>> ModuleStream::read_some() {
  for (;;) {
    const ssize_t got = ::read(fd_.get(), buffer_.data(), buffer_bytes);
    if (got >= 0) return std::span(buffer_).first(static_cast<std::size_t>(got) / word_bytes);
    if (errno != EINTR) return fail_errno("read the module's event stream");
  }
}

template <typename TakeRecord>
Result<std::size_t> ModuleStream::take_while(std::span<std::uint64_t> words, bool asked,
                                             const TakeRecord& take) {
  std::size_t at = 0;
  while (at < words.size()) {
    schedscope_rec* const record = first_record(words.subspan(at));
    if (record == nullptr) {
      return fail("read the module's event stream", "it holds a record of another size",
                  "load the module that belongs to this program");
    }
    if (asked && !is_asked_for(*record)) break;
    if (second_) record->flags |= SCHEDSCOPE_REC_SECOND;
    if (measuring_ && record->kind == SCHEDSCOPE_REC_SWITCH) ++measured_switches_;
    at += record->size / word_bytes;
    take(RecordView(record));
  }
  return at;
}

// What was asked for comes first; a ring's records behind it wait for the next drain().
Result<void> ModuleStream::take_asked(const std::function<void(RecordView)>& take) {
  for (;;) {
    const auto words = read_some();
    if (!words) return std::unexpected(words.error());
    const auto taken = take_while(*words, true, take);
    if (!taken) return std::unexpected(taken.error());
    const auto rest = words->subspan(*taken);
    held_.insert(held_.end(), rest.begin(), rest.end());
    if (words->empty() || !rest.empty()) return {};
  }
}

Result<void> ModuleStream::drain(const Take& take) {
  const auto take_rec = [&](RecordView record) { take(record.cpu(), record); };
  const auto held = take_while(held_, false, take_rec);
  held_.clear();
  if (!held) return std::unexpected(held.error());
  // A read that does not fill the buffer has met empty rings only; more comes next time.
  for (std::size_t got = buffer_bytes; got + SCHEDSCOPE_STREAM_READ_MIN > buffer_bytes;) {
    const auto words = read_some();
    if (!words) return std::unexpected(words.error());
    got = words->size_bytes();
    if (auto taken = take_while(*words, false, take_rec); !taken) {
      return std::unexpected(taken.error());
    }
  }
  return {};
}

Result<void> ModuleStream::walk(std::uint16_t flag, const std::function<void(RecordView)>& take) {
  const std::uint32_t asked = flag;
  if (::ioctl(fd_.get(), SCHEDSCOPE_STREAM_IOC_WALK, &asked) != 0) {
    return fail_errno("walk the threads");
  }
  return take_asked(take);
}

Result<std::vector<schedscope_cpu_stats>> ModuleStream::stats() {
  if (::ioctl(fd_.get(), SCHEDSCOPE_STREAM_IOC_STATS) != 0) {
    return fail_errno("read the module's totals");
  }
  std::vector<schedscope_cpu_stats> all;
  auto taken = take_asked([&](RecordView record) {
    if (record.kind() == SCHEDSCOPE_REC_CPU_STATS) all.push_back(record.as<schedscope_cpu_stats>());
  });
  if (!taken) return std::unexpected(taken.error());
  // Unless the probes were measured, the stream has no totals that belong to no CPU; who records
  // may have.
  if (!all.empty() && all.back().rec.cpu == SCHEDSCOPE_CPU_NONE) return all;
  auto machine = make_record<schedscope_cpu_stats>(SCHEDSCOPE_REC_CPU_STATS, Clocks::now_ns());
  if (second_) machine.rec.flags |= SCHEDSCOPE_REC_SECOND;
  all.push_back(machine);
  return all;
}

}  // namespace schedscope::collect
