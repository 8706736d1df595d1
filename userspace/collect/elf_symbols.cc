// SPDX-License-Identifier: GPL-2.0-only
#include "collect/elf_symbols.h"

#include <fcntl.h>
#include <gelf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "base/fd.h"
#include "uapi/schedscope.h"

namespace schedscope::collect {
namespace {

// More functions than any program has: what a foreign file may make the recorder keep.
constexpr std::size_t most_functions = 4U << 20;
constexpr std::size_t longest_name = 4096;
constexpr std::size_t most_segments = 64;  // some ten are many
constexpr std::size_t most_name_bytes = 64U << 20;
// Of a section. A file may be larger than memory, for it may have holes.
constexpr std::uint64_t most_table_bytes = 256U << 20;
constexpr std::uint64_t most_note_bytes = 64U << 10;

struct EndElf {
  void operator()(Elf* elf) const { elf_end(elf); }
};
using ElfHandle = std::unique_ptr<Elf, EndElf>;

// Whether the header itself says how many headers there are. Else they are counted elsewhere in the
// file, by up to 32 bits, and libelf makes room for as many: nobody needs that but who means harm.
template <typename Header>
bool counts_itself(const std::array<char, EI_NIDENT + 48>& bytes) {
  Header header;
  static_assert(sizeof(header) <= sizeof(bytes));
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header.e_phnum != PN_XNUM && (header.e_shnum != 0 || header.e_shoff == 0);
}

bool counts_itself(int fd) {
  std::array<char, EI_NIDENT + 48> bytes{};
  if (::pread(fd, bytes.data(), bytes.size(), 0) < static_cast<ssize_t>(sizeof(Elf32_Ehdr))) {
    return false;
  }
  return bytes[EI_CLASS] == ELFCLASS64 ? counts_itself<Elf64_Ehdr>(bytes)
                                       : counts_itself<Elf32_Ehdr>(bytes);
}

// Read, not mapped: a file that somebody cuts short meanwhile is no SIGBUS.
ElfHandle open_elf(int fd) {
  static const bool ready = elf_version(EV_CURRENT) != EV_NONE;
  ElfHandle elf(ready && counts_itself(fd) ? elf_begin(fd, ELF_C_READ, nullptr) : nullptr);
  if (elf && elf_kind(elf.get()) != ELF_K_ELF) elf.reset();
  return elf;
}

std::string build_id_in(Elf* elf, const GElf_Phdr& notes) {
  Elf_Data* data =
      elf_getdata_rawchunk(elf, static_cast<std::int64_t>(notes.p_offset), notes.p_filesz,
                           notes.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
  GElf_Nhdr note;
  std::size_t name = 0, text = 0;
  for (std::size_t at = 0, next = 0;
       data != nullptr && (next = gelf_getnote(data, at, &note, &name, &text)) != 0; at = next) {
    const auto* bytes = static_cast<const char*>(data->d_buf);
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        std::memcmp(bytes + name, "GNU", 4) == 0) {
      return {bytes + text, std::min<std::size_t>(note.n_descsz, SCHEDSCOPE_BUILD_ID_LEN)};
    }
  }
  return "";
}

bool has_names(Elf* elf, std::uint32_t section) {
  GElf_Shdr header;
  Elf_Scn* names = elf_getscn(elf, section);
  return names != nullptr && gelf_getshdr(names, &header) != nullptr &&
         header.sh_size <= most_table_bytes;
}

bool is_function(const GElf_Sym& symbol) {
  const int type = GELF_ST_TYPE(symbol.st_info);
  return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol.st_shndx != SHN_UNDEF;
}

}  // namespace

ElfFile::ElfFile(int fd) {
  const ElfHandle elf = open_elf(fd);
  std::size_t headers = 0;
  if (!elf || elf_getphdrnum(elf.get(), &headers) != 0) return;
  for (std::size_t i = 0; i < headers; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf.get(), static_cast<int>(i), &header) == nullptr) return;
    if (header.p_type == PT_LOAD && segments_.size() < most_segments) {
      segments_.push_back({header.p_offset, header.p_filesz, header.p_vaddr});
    } else if (header.p_type == PT_NOTE && header.p_filesz <= most_note_bytes &&
               build_id_.empty()) {
      build_id_ = build_id_in(elf.get(), header);
    }
  }
}

std::string ElfFile::debug_path(const std::string& debug_directory) const {
  std::string hex;
  for (const char byte : build_id_) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return fmt::format("{}/{}/{}.debug", debug_directory, hex.substr(0, 2), hex.substr(2));
}

void ElfFile::read_symbols(int fd, const std::string& debug_directory) {
  bool found = take_table(fd, SHT_SYMTAB);
  if (!found && build_id_.size() > 1) {
    const Fd debug(::open(debug_path(debug_directory).c_str(), O_RDONLY | O_CLOEXEC));
    found = debug.valid() && ElfFile(debug.get()).build_id() == build_id_ &&
            take_table(debug.get(), SHT_SYMTAB);
  }
  if (!found) (void)take_table(fd, SHT_DYNSYM);
  std::ranges::sort(functions_, {},
                    [](const Function& f) { return std::pair(f.address, f.bytes); });
}

// False when the file has no such table.
bool ElfFile::take_table(int fd, std::uint32_t section_type) {
  const ElfHandle elf = open_elf(fd);
  if (!elf) return false;
  for (Elf_Scn* section = elf_nextscn(elf.get(), nullptr); section != nullptr;
       section = elf_nextscn(elf.get(), section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type != section_type) continue;
    if (header.sh_size > most_table_bytes || !has_names(elf.get(), header.sh_link)) return false;
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr || header.sh_entsize == 0) return false;
    const std::size_t entries =
        std::min<std::size_t>(data->d_size / header.sh_entsize, most_functions);
    for (std::size_t i = 0; i < entries && names_.size() < most_name_bytes; ++i) {
      GElf_Sym symbol;
      if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) break;
      if (!is_function(symbol)) continue;
      const char* name = elf_strptr(elf.get(), header.sh_link, symbol.st_name);
      if (name == nullptr || *name == 0) continue;
      functions_.push_back({symbol.st_value, symbol.st_size, names_.size()});
      names_.append(name, ::strnlen(name, longest_name));
      names_ += '\0';
    }
    return true;
  }
  return false;
}

std::optional<ElfFile::Symbol> ElfFile::find(std::uint64_t file_offset) const {
  const auto segment = std::ranges::find_if(segments_, [&](const Segment& s) {
    return file_offset >= s.offset && file_offset - s.offset < s.bytes;
  });
  if (segment == segments_.end()) return std::nullopt;
  const std::uint64_t address = file_offset - segment->offset + segment->address;
  auto next = std::ranges::upper_bound(functions_, address, {}, &Function::address);
  if (next == functions_.begin()) return std::nullopt;
  const Function& function = *(next - 1);
  const std::uint64_t offset = address - function.address;
  if (function.bytes != 0 && offset >= function.bytes) return std::nullopt;
  return Symbol{names_.c_str() + function.name, offset};
}

}  // namespace schedscope::collect
