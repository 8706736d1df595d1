// SPDX-License-Identifier: GPL-2.0-only
#include "trace.h"

#include <algorithm>

namespace schedscope::golden {
namespace {

template <typename T>
bool ended_in(const T& stretch, std::uint64_t begin_ns, std::uint64_t end_ns) {
  return stretch.end_ns >= begin_ns && stretch.end_ns <= end_ns;
}

template <typename T>
void sort_by_end(std::vector<T>& stretches) {
  std::stable_sort(stretches.begin(), stretches.end(),
                   [](const T& a, const T& b) { return a.end_ns < b.end_ns; });
}

}  // namespace

void Trace::record(RecordView record) {
  switch (record.kind()) {
    case SCHEDSCOPE_REC_SWITCH:
      seen_active_.insert(record.as<schedscope_switch>().prev_tid);
      ++arrivals_[record.as<schedscope_switch>().next_tid][record.cpu()];
      break;
    case SCHEDSCOPE_REC_WAKING:
    case SCHEDSCOPE_REC_WAKEUP_NEW:
      seen_active_.insert(record.as<schedscope_waking>().waker_tid);
      break;
    case SCHEDSCOPE_REC_TASK:
      seen_active_.insert(record.as<schedscope_task>().tid);
      break;
    case SCHEDSCOPE_REC_INTERRUPTS:
      interrupts_.push_back(record.as<schedscope_interrupts>());
      break;
    case SCHEDSCOPE_REC_EEVDF:
      eevdf_.push_back(record.as<schedscope_eevdf>());
      break;
    case SCHEDSCOPE_REC_LOST: {
      const auto& lost = record.as<schedscope_lost>();
      gaps_.push_back({lost.rec.cpu, lost.begin_ns, lost.end_ns, lost.count});
      break;
    }
    default:
      break;
  }
}

Trace::Hidden Trace::hidden(std::uint32_t cpu) const {
  Hidden hidden;
  for (const auto& [tid, counts] : arrivals_) {
    if (tid == 0 || seen_active_.contains(tid)) continue;
    hidden.tids.push_back(tid);
    for (const auto& [where, count] : counts) {
      hidden.arrivals += count;
      if (where == cpu) hidden.arrivals_here += count;
    }
  }
  return hidden;
}

std::vector<timeline::Slice> Trace::slices(std::vector<timeline::ThreadIndex> threads,
                                           std::uint64_t begin_ns, std::uint64_t end_ns) const {
  std::vector<timeline::Slice> out;
  for (const timeline::Slice& slice : slices_) {
    const bool wanted = std::find(threads.begin(), threads.end(), slice.thread) != threads.end();
    if (wanted && ended_in(slice, begin_ns, end_ns)) out.push_back(slice);
  }
  sort_by_end(out);
  return out;
}

std::vector<timeline::Span> Trace::spans(timeline::ThreadIndex thread, timeline::State state,
                                         std::uint64_t begin_ns, std::uint64_t end_ns) const {
  std::vector<timeline::Span> out;
  for (const timeline::Span& span : spans_) {
    const bool wanted = span.thread == thread && span.state == state;
    if (wanted && ended_in(span, begin_ns, end_ns)) out.push_back(span);
  }
  sort_by_end(out);
  return out;
}

}  // namespace schedscope::golden
