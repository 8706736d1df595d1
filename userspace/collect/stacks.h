// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "collect/code_files.h"
#include "collect/kernel_symbols.h"
#include "collect/process_maps.h"
#include "collect/witness.h"
#include "schema/record.h"

namespace schedscope::collect {

// In a ring in the place of a schedscope_stack; bpf/stacks.bpf.h has the same.
struct StackSample {
  schedscope_rec rec;  // its size is that of the frames, too
  std::uint64_t start_ns;
  std::uint32_t tid, pid, exec_number;
  std::uint16_t kernel_frames, user_frames;
  std::array<std::uint64_t, 2 * SCHEDSCOPE_STACK_FRAMES_MAX> frames;

  static constexpr std::uint16_t no_user_stack = 1;  // in the flags
};
static_assert(offsetof(StackSample, frames) == 40);

// Gives each different stack a number, and tells what its frames are once.
//
// An address says something only with its process's map, so that is read when a process's first
// stack comes: up to 25 ms after it was taken. By then another program may run there, or another
// process have its pid: the witness says which one it was, and a map of any other is not used.
class Stacks {
 public:
  using ImageOf = std::function<std::optional<ProcessImage>(std::uint32_t pid)>;
  using ReadMaps = std::function<std::string(std::uint32_t pid, std::uint32_t tid)>;

  Stacks(KernelSymbols kernel, ImageOf image_of, ReadMaps read_maps = read_proc_maps);

  // What a capture gets for a StackSample.
  [[nodiscard]] schedscope_stack keep(RecordView record);

  void read_symbols(std::uint64_t budget_ns) { files_.read_symbols(budget_ns); }
  using Take = std::function<void(RecordView)>;
  // The frames of the stacks that were not told yet, as far as the symbols of their files are read.
  void tell(std::uint64_t now_ns, const Take& take);
  // Those of all of these stacks that there are, in any case.
  void tell_all(const std::unordered_set<std::uint32_t>& numbers, std::uint64_t now_ns,
                const Take& take);
  // Whether frames are missing or have no names because there was no room for all.
  [[nodiscard]] bool without_room() const { return files_.without_room() || maps_cut_; }

  [[nodiscard]] static std::string read_proc_maps(std::uint32_t pid, std::uint32_t tid);

 private:
  // Where a frame is: as an address, or in a file.
  struct Place {
    std::uint64_t where;
    std::uint32_t file;  // in files_, or one of these
    std::uint32_t unused = 0;
  };
  static constexpr std::uint32_t in_kernel = 0xffffffff;
  static constexpr std::uint32_t in_memory = 0xfffffffe;  // of the process, with no file
  static constexpr std::uint32_t no_file = 0xfffffffc;

  struct Image {
    bool gone = false;  // its map was not read so far
    bool over = false;  // nor will it ever be: another program runs there, or none
    std::vector<CodeMap> maps;
    std::vector<std::uint32_t> files;  // that the maps are of, or no_file: not looked for yet
    std::uint64_t read_again_ns = 0;   // not before
    std::uint64_t number = 0;
  };
  using ImageKey = std::tuple<std::uint32_t, std::uint64_t, std::uint32_t>;

  // Found by bytes that are no string of their own.
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using Numbers = std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>>;

  [[nodiscard]] std::uint32_t kernel_number(std::span<const std::uint64_t> frames);
  [[nodiscard]] std::uint32_t user_number(const StackSample& sample,
                                          std::span<const std::uint64_t> frames);
  [[nodiscard]] Image& image_of(const StackSample& sample);
  void read_image(Image& image, const StackSample& sample);
  [[nodiscard]] std::vector<Place> locate(Image& image, const StackSample& sample,
                                          std::span<const std::uint64_t> frames);
  template <typename Find>
  [[nodiscard]] std::uint32_t number_by_addresses(std::uint64_t image,
                                                  std::span<const std::uint64_t> frames,
                                                  const Find& find);
  [[nodiscard]] std::uint32_t number_of(std::span<const Place> places);
  [[nodiscard]] bool is_ready(const std::string& stack) const;
  void tell_stack(std::uint32_t number, std::uint64_t now_ns, const Take& take) const;
  void tell_frame(schedscope_frame frame, const Place& place, const Take& take) const;

  KernelSymbols kernel_;
  ImageOf image_of_;
  ReadMaps read_maps_;
  CodeFiles files_;
  std::map<ImageKey, Image> images_;
  std::uint64_t images_seen_ = 0;
  bool maps_cut_ = false;
  Numbers by_addresses_;                    // a cache: an image's number and its addresses
  Numbers by_places_;                       // Places, as bytes
  std::vector<const std::string*> stacks_;  // of number i + 1 the Places, in by_places_
  std::uint32_t told_ = 0;
  std::string key_;
};

}  // namespace schedscope::collect
