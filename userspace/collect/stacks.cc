// SPDX-License-Identifier: GPL-2.0-only
#include "collect/stacks.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/file.h"
#include "collect/clocks.h"

namespace schedscope::collect {
namespace {

// Different stacks; a busy machine has some thousands.
constexpr std::size_t most_stacks = 1 << 17;
// What is found again when it was forgotten.
constexpr std::size_t most_cached = 1 << 16;
constexpr std::size_t most_images = 1 << 14;
// A process that loads a library later has another map; one whose frames lead nowhere has not.
constexpr std::uint64_t map_read_every_ns = 100'000'000;
// Of the time at most, where a map is long: the kernel allows 65,530 lines, some MB.
constexpr std::uint64_t map_read_part = 50;
constexpr std::size_t most_map_bytes = 16U << 20;
// Of a frame's texts: what the capture's format allows of the shorter parts.
constexpr std::size_t longest_text =
    128 * std::min(SCHEDSCOPE_FRAME_SYMBOL_LEN, SCHEDSCOPE_FRAME_FILE_LEN);

template <typename T>
std::string_view bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

template <std::size_t n>
void put_part(__u8 (&to)[n], std::string_view text, std::uint32_t part) {
  const std::string_view rest = text.substr(std::min(text.size(), part * n));
  rest.copy(reinterpret_cast<char*>(to), n);
}

std::uint32_t parts_of(std::string_view text, std::size_t part_bytes) {
  return static_cast<std::uint32_t>((text.size() + part_bytes - 1) / part_bytes);
}

// The scheduler's own, however it was compiled.
bool is_schedule(std::string_view symbol) {
  return symbol == "__schedule" || symbol.starts_with("__schedule.");
}

}  // namespace

Stacks::Stacks(KernelSymbols kernel, ImageOf image_of, ReadMaps read_maps)
    : kernel_(std::move(kernel)),
      image_of_(std::move(image_of)),
      read_maps_(std::move(read_maps)) {}

// By the thread, which is that process's for certain, or, when it is over, by the process.
std::string Stacks::read_proc_maps(std::uint32_t pid, std::uint32_t tid) {
  const auto of_thread = read_text(fmt::format("/proc/{}/task/{}/maps", pid, tid), most_map_bytes);
  if (of_thread && !of_thread->empty()) return *of_thread;
  return read_text(fmt::format("/proc/{}/maps", pid), most_map_bytes).value_or("");
}

schedscope_stack Stacks::keep(RecordView record) {
  const auto& sample = record.as<StackSample>();
  auto out = make_record<schedscope_stack>(SCHEDSCOPE_REC_STACK, record.time_ns(), record.cpu());
  const std::span frames(sample.frames);
  out.tid = sample.tid;
  out.kernel = kernel_number(frames.first(sample.kernel_frames));
  if ((record.flags() & StackSample::no_user_stack) == 0) {
    out.user = user_number(sample, frames.subspan(sample.kernel_frames, sample.user_frames));
  }
  return out;
}

// `find` gives the places of addresses that are not in the cache, or what stands for a number.
template <typename Find>
std::uint32_t Stacks::number_by_addresses(std::uint64_t image,
                                          std::span<const std::uint64_t> frames, const Find& find) {
  key_.assign(bytes_of(std::span<const std::uint64_t>(&image, 1)));
  key_.append(bytes_of(frames));
  if (const auto known = by_addresses_.find(key_); known != by_addresses_.end()) {
    return known->second;
  }
  if (by_addresses_.size() >= most_cached) by_addresses_.clear();
  const std::uint32_t number = number_of(find());
  by_addresses_.emplace(key_, number);
  return number;
}

std::uint32_t Stacks::number_of(std::span<const Place> places) {
  if (places.empty()) return SCHEDSCOPE_STACK_UNREADABLE;
  const std::string_view bytes = bytes_of(places);
  if (const auto known = by_places_.find(bytes); known != by_places_.end()) return known->second;
  if (stacks_.size() >= most_stacks) return SCHEDSCOPE_STACK_NO_ROOM;
  const auto number = static_cast<std::uint32_t>(stacks_.size() + 1);
  stacks_.push_back(&by_places_.emplace(bytes, number).first->first);
  return number;
}

std::uint32_t Stacks::kernel_number(std::span<const std::uint64_t> frames) {
  if (frames.empty()) return SCHEDSCOPE_STACK_UNREADABLE;
  return number_by_addresses(0, frames, [&] {
    std::vector<Place> places;
    for (const std::uint64_t address : frames) places.push_back({address, in_kernel});
    // What is inside of the scheduler is the probe.
    const auto schedule = std::ranges::find_if(places, [this](const Place& place) {
      const auto symbol = kernel_.find(place.where - 1);
      return symbol && is_schedule(symbol->name);
    });
    if (schedule != places.end()) places.erase(places.begin(), schedule);
    return places;
  });
}

std::uint32_t Stacks::user_number(const StackSample& sample,
                                  std::span<const std::uint64_t> frames) {
  if (frames.empty()) return SCHEDSCOPE_STACK_UNREADABLE;
  Image& image = image_of(sample);
  if (image.gone && !image.over && Clocks::now_ns() >= image.read_again_ns) {
    read_image(image, sample);
  }
  if (image.gone) return SCHEDSCOPE_STACK_GONE;
  const std::uint32_t number =
      number_by_addresses(image.number, frames, [&] { return locate(image, sample, frames); });
  return image.gone ? SCHEDSCOPE_STACK_GONE : number;
}

Stacks::Image& Stacks::image_of(const StackSample& sample) {
  const ImageKey key(sample.pid, sample.start_ns, sample.exec_number);
  if (const auto known = images_.find(key); known != images_.end()) return known->second;
  if (images_.size() >= most_images) images_.clear();
  Image& image = images_[key];
  image.number = ++images_seen_;
  read_image(image, sample);
  return image;
}

// It was this image's map if it is this image still: no image comes back.
void Stacks::read_image(Image& image, const StackSample& sample) {
  const std::uint64_t began_ns = Clocks::now_ns();
  std::string text = read_maps_(sample.pid, sample.tid);
  if (text.size() >= most_map_bytes) {
    maps_cut_ = true;
    text.resize(text.rfind('\n') + 1);
  }
  auto maps = parse_code_maps(text);
  const std::uint64_t read_ns = Clocks::now_ns();
  image.read_again_ns = read_ns + std::max(map_read_every_ns, map_read_part * (read_ns - began_ns));
  const auto now = image_of_(sample.pid);
  image.over = !now || now->start_ns != sample.start_ns || now->exec_number != sample.exec_number;
  // What was read of it before is true all the same.
  if (!image.over && !maps.empty()) {
    image.maps = std::move(maps);
    image.files.assign(image.maps.size(), no_file);
  }
  image.gone = image.maps.empty();
}

// Up to the first frame that is in no code: what a register holds that is no frame pointer leads
// anywhere.
std::vector<Stacks::Place> Stacks::locate(Image& image, const StackSample& sample,
                                          std::span<const std::uint64_t> frames) {
  std::vector<Place> places;
  for (const std::uint64_t address : frames) {
    const CodeMap* map = find_map(image.maps, address);
    if (map == nullptr && Clocks::now_ns() >= image.read_again_ns) {
      read_image(image, sample);
      map = find_map(image.maps, address);
    }
    if (map == nullptr) break;
    if (!map->is_shared()) {
      places.push_back({address, in_memory});
      continue;
    }
    std::uint32_t& file = image.files[static_cast<std::size_t>(map - image.maps.data())];
    if (file == no_file) file = files_.find(sample.tid, *map);
    places.push_back({address - map->begin + map->offset, file});
  }
  return places;
}

bool Stacks::is_ready(const std::string& stack) const {
  const std::span places(reinterpret_cast<const Place*>(stack.data()),
                         stack.size() / sizeof(Place));
  return std::ranges::all_of(places, [this](const Place& place) {
    return place.file == in_kernel || place.file == in_memory || files_.is_read(place.file);
  });
}

void Stacks::tell(std::uint64_t now_ns, const Take& take) {
  while (told_ < stacks_.size() && is_ready(*stacks_[told_])) tell_stack(++told_, now_ns, take);
}

void Stacks::tell_all(const std::unordered_set<std::uint32_t>& numbers, std::uint64_t now_ns,
                      const Take& take) {
  files_.read_symbols(~0ULL);
  for (std::uint32_t number = 1; number <= stacks_.size(); ++number) {
    if (numbers.contains(number)) tell_stack(number, now_ns, take);
  }
}

void Stacks::tell_stack(std::uint32_t number, std::uint64_t now_ns, const Take& take) const {
  const std::string& stack = *stacks_[number - 1];
  const std::span places(reinterpret_cast<const Place*>(stack.data()),
                         stack.size() / sizeof(Place));
  auto frame = make_record<schedscope_frame>(SCHEDSCOPE_REC_FRAME, now_ns);
  frame.stack = number;
  frame.frames = static_cast<std::uint32_t>(places.size());
  for (const Place& place : places) {
    tell_frame(frame, place, take);
    ++frame.index;
  }
}

// A call may be the last instruction of its function: the one before it counts.
void Stacks::tell_frame(schedscope_frame frame, const Place& place, const Take& take) const {
  std::string_view symbol, file;
  frame.where = place.where;
  if (place.file == in_kernel) {
    frame.rec.flags = SCHEDSCOPE_FRAME_KERNEL;
    if (const auto found = kernel_.find(place.where - 1)) {
      symbol = found->name;
      file = found->module;
      frame.symbol_offset = found->offset + 1;
      frame.where = 0;  // where the kernel is is nobody's business
    }
  } else if (place.file != in_memory) {
    frame.rec.flags = SCHEDSCOPE_FRAME_IN_FILE;
    file = files_.path(place.file);
    const ElfFile& elf = files_.elf(place.file);
    const std::uint64_t back = frame.index == 0 ? 0 : 1;
    if (const auto found = elf.find(place.where - back)) {
      symbol = found->name;
      frame.symbol_offset = found->offset + back;
    }
    frame.build_id_bytes = static_cast<std::uint32_t>(elf.build_id().size());
    put_part(frame.build_id, elf.build_id(), 0);
  }
  symbol = symbol.substr(0, longest_text);
  file = file.substr(0, longest_text);
  frame.parts =
      std::max({1U, parts_of(symbol, sizeof(frame.symbol)), parts_of(file, sizeof(frame.file))});
  for (frame.part = 0; frame.part < frame.parts; ++frame.part) {
    std::ranges::fill(frame.symbol, 0);
    std::ranges::fill(frame.file, 0);
    put_part(frame.symbol, symbol, frame.part);
    put_part(frame.file, file, frame.part);
    take(view_of(frame));
  }
}

}  // namespace schedscope::collect
