#pragma once

#include "actors/kernel/message.hpp"

#include <caf/typed_actor.hpp>

#include <string>

/// Pictures that people send are decoded and encoded anew on a thread of its own, behind a short queue.
namespace backstay::imaging {

template <class T>
void admitted(const T&);

struct picture {
  std::string png; ///< without metadata; neither side longer than `longest_side`
};

/// A PNG, JPEG or WebP file, or a GIF, of which the first frame counts. Errors: `refused` named INVALID_IMAGE when it
/// is none of these, damaged, or too large.
struct picture_job {
  using reply = picture;
  std::string file;
};

inline constexpr std::size_t most_bytes = 2 * 1024 * 1024;
inline constexpr int longest_side = 512;

/// Errors: also `overloaded` when the queue is full.
using imaging_actor = caf::typed_actor<answers<picture_job>>;

} // namespace backstay::imaging
