#include "actors/two_factor/qr.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/error.hpp"

#include <png.h>
#include <qrencode.h>

#include <memory>
#include <string>

namespace backstay::two_factor {

namespace {

constexpr int quiet_modules = 4; // ISO/IEC 18004, 5.3.8
constexpr int pixels_a_module = 6;

struct freed {
  void operator()(QRcode* code) const { QRcode_free(code); }
};
using qr_code = std::unique_ptr<QRcode, freed>;

qr_code encode(const secret& text) {
  qr_code code{QRcode_encodeString8bit(text.reveal().c_str(), 0, QR_ECLEVEL_M)};
  if (!code) fail(ec::internal, "a text does not fit into a QR code");
  return code;
}

/// One byte a pixel: 1 is black.
std::string pixels_of(const QRcode& code, int side) {
  std::string pixels;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      int column = x / pixels_a_module - quiet_modules, row = y / pixels_a_module - quiet_modules;
      bool is_inside = column >= 0 && row >= 0 && column < code.width && row < code.width;
      pixels += static_cast<char>(is_inside ? code.data[row * code.width + column] & 1 : 0);
    }
  return pixels;
}

std::string to_png(const std::string& pixels, int side) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = image.height = static_cast<png_uint_32>(side);
  image.format = PNG_FORMAT_RGB_COLORMAP; // of two colours: libpng writes one bit a pixel
  image.colormap_entries = 2;
  const png_byte white_and_black[] = {255, 255, 255, 0, 0, 0};
  std::string file(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = file.size();
  if (!png_image_write_to_memory(&image, file.data(), &size, 0, pixels.data(), side, white_and_black))
    fail(ec::internal, "a picture could not be written");
  file.resize(size);
  return file;
}

} // namespace

secret qr_picture(const secret& text) {
  auto code = encode(text);
  int side = (code->width + 2 * quiet_modules) * pixels_a_module;
  return secret{"data:image/png;base64," + crypto::to_base64(to_png(pixels_of(*code, side), side))};
}

} // namespace backstay::two_factor
