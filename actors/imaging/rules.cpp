#include "actors/imaging/rules.hpp"

#include "actors/imaging/gd.hpp"
#include "actors/kernel/error.hpp"

#include <algorithm>
#include <memory>

namespace backstay::imaging {

namespace {

constexpr std::uint32_t most_side = 8192, most_pixels = 16 * 1024 * 1024;

[[noreturn]] void refuse(const char* why) { fail(ec::refused, why, "INVALID_IMAGE"); }

std::uint32_t byte_at(std::string_view file, std::size_t at) {
  return at < file.size() ? static_cast<unsigned char>(file[at]) : 0;
}
std::uint32_t little(std::string_view file, std::size_t at, std::size_t bytes) {
  std::uint32_t value = 0;
  while (bytes-- > 0) value = value << 8 | byte_at(file, at + bytes);
  return value;
}
std::uint32_t big(std::string_view file, std::size_t at, std::size_t bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | byte_at(file, at + i);
  return value;
}

/// PNG (RFC 2083): the first chunk is IHDR.
std::optional<outline> read_png(std::string_view file) {
  if (file.substr(12, 4) != "IHDR") return std::nullopt;
  return outline{format::png, big(file, 16, 4), big(file, 20, 4)};
}

/// GIF89a: the logical screen; a frame that does not fit into it is refused by the decoder. The trailer is the last
/// byte: decoders make up what is missing before it.
std::optional<outline> read_gif(std::string_view file) {
  if (!file.ends_with('\x3b')) return std::nullopt;
  return outline{format::gif, little(file, 6, 2), little(file, 8, 2)};
}

/// WebP (RFC 9649): the first chunk is the picture, lossy or lossless, or an extended header with the canvas.
std::optional<outline> read_webp(std::string_view file) {
  auto chunk = file.substr(12, 4);
  if (chunk == "VP8X") return outline{format::webp, little(file, 24, 3) + 1, little(file, 27, 3) + 1};
  if (chunk == "VP8 ") return outline{format::webp, little(file, 26, 2) & 0x3fff, little(file, 28, 2) & 0x3fff};
  if (chunk != "VP8L") return std::nullopt;
  auto bits = little(file, 21, 4);
  return outline{format::webp, (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1};
}

/// The first directory of a TIFF header (EXIF 2.32, 4.5.4), of which only the orientation concerns us.
std::uint32_t read_orientation(std::string_view tiff) {
  auto number = tiff.starts_with("II") ? little : big;
  auto directory = number(tiff, 4, 4);
  auto entries = number(tiff, directory, 2);
  for (std::uint32_t at = directory + 2; entries > 0 && at < tiff.size(); --entries, at += 12)
    if (number(tiff, at, 2) == 0x0112) return number(tiff, at + 8, 2);
  return 1;
}

bool is_frame_header(std::uint32_t marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/// JPEG (ITU T.81, B.2): segments up to the frame header. Without an end of image behind it the file is cut off:
/// decoders make up what is missing.
std::optional<outline> read_jpeg(std::string_view file) {
  std::uint32_t orientation = 1;
  for (std::size_t at = 2; at + 9 < file.size() && byte_at(file, at) == 0xff;) {
    auto marker = byte_at(file, at + 1);
    if (marker == 0xff) { // a fill byte
      ++at;
      continue;
    }
    if (!is_frame_header(marker)) {
      if (marker == 0xe1 && file.substr(at + 4, 4) == "Exif") orientation = read_orientation(file.substr(at + 10));
      at += 2 + big(file, at + 2, 2);
      continue;
    }
    if (file.find("\xff\xd9", at) == std::string_view::npos) return std::nullopt;
    return outline{format::jpeg, big(file, at + 7, 2), big(file, at + 5, 2), orientation};
  }
  return std::nullopt;
}

const gd_library& gd() { return gd_library::instance(); }

struct destroy {
  void operator()(gdImage* image) const { gd().destroy(image); }
};
using image = std::unique_ptr<gdImage, destroy>;

image decode(std::string_view file, format what) {
  auto size = static_cast<int>(file.size());
  auto* data = const_cast<char*>(file.data()); // gd only reads it
  auto read = [&] {
    switch (what) {
    case format::png:
      return gd().from_png(size, data);
    case format::jpeg:
      return gd().from_jpeg(size, data);
    case format::webp:
      return gd().from_webp(size, data);
    case format::gif:
      break;
    }
    return gd().from_gif(size, data);
  };
  return image{read()};
}

/// Into a square of `longest_side`, with its proportions; never larger than it is.
image fit(image from) {
  auto longest = std::max(gdImageSX(from.get()), gdImageSY(from.get()));
  if (longest <= longest_side) return from;
  auto scaled = [&](int side) { return static_cast<unsigned>(std::max(1, side * longest_side / longest)); };
  return image{gd().scale(from.get(), scaled(gdImageSX(from.get())), scaled(gdImageSY(from.get())))};
}

/// Undoes the orientation.
image upright(image from, std::uint32_t orientation) {
  if (orientation == 2 || orientation == 5 || orientation == 7) gd().flip_horizontal(from.get());
  if (orientation == 4) gd().flip_vertical(from.get());
  auto turn = [&](float degrees) { // counter-clockwise
    return image{gd().rotate(from.get(), degrees, 0)};
  };
  if (orientation == 3) return turn(180);
  if (orientation == 5 || orientation == 8) return turn(90);
  if (orientation == 6 || orientation == 7) return turn(270);
  return from;
}

std::string encode(gdImage* from) {
  gd().save_alpha(from, 1);
  int size = 0;
  std::unique_ptr<void, decltype(&gdFree)> bytes{gd().to_png(from, &size), gd().free};
  if (!bytes) fail(ec::internal, "a picture could not be encoded");
  return {static_cast<const char*>(bytes.get()), static_cast<std::size_t>(size)};
}

void keep_silent(int, const char*, va_list) {}

} // namespace

std::optional<outline> outline_of(std::string_view file) {
  using namespace std::string_view_literals;
  if (file.size() < 32) return std::nullopt;
  if (file.starts_with("\x89PNG\r\n\x1a\n"sv)) return read_png(file);
  if (file.starts_with("\xff\xd8\xff"sv)) return read_jpeg(file);
  if (file.starts_with("GIF87a"sv) || file.starts_with("GIF89a"sv)) return read_gif(file);
  if (file.starts_with("RIFF"sv) && file.substr(8, 4) == "WEBP"sv) return read_webp(file);
  return std::nullopt;
}

bool is_moderate(const outline& claimed) {
  return claimed.width > 0 && claimed.height > 0 && claimed.width <= most_side && claimed.height <= most_side &&
         claimed.width * claimed.height <= most_pixels;
}

picture re_encode(std::string_view file) {
  if (file.size() > most_bytes) refuse("The picture is larger than 2 MiB.");
  auto claimed = outline_of(file);
  if (!claimed) refuse("This is not a PNG, JPEG, WebP or GIF picture.");
  if (!is_moderate(*claimed)) refuse("The picture is too wide or too high.");
  gd().set_error_method(keep_silent); // the library would print to standard error
  auto decoded = decode(file, claimed->format);
  if (!decoded || !gd().to_true_color(decoded.get())) refuse("The picture is damaged.");
  auto small = fit(std::move(decoded));
  if (small) small = upright(std::move(small), claimed->orientation);
  if (!small) fail(ec::overloaded); // no memory
  return {encode(small.get())};
}

} // namespace backstay::imaging
