#pragma once

#include "actors/imaging/messages.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace backstay::imaging {

enum class format : std::uint8_t { png, jpeg, webp, gif };

/// What a file says about itself before anything is decoded.
struct outline {
  imaging::format format = format::png;
  std::uint32_t width = 0, height = 0;
  /// How the camera was held (EXIF 2.32, tag 0x0112): 1 upright … 8; only a JPEG tells.
  std::uint32_t orientation = 1;
  bool operator==(const outline&) const = default;
};

/// By the file's first bytes and headers. Nothing if it is no picture of ours, or obviously cut off.
std::optional<outline> outline_of(std::string_view file);

/// Whether decoding takes a bounded amount of memory: 4 bytes a pixel, some formats twice that for a moment.
bool is_moderate(const outline& claimed);

/// Decodes and encodes anew; blocks for up to some hundred milliseconds. Errors: as `picture_job`.
picture re_encode(std::string_view file);

} // namespace backstay::imaging
