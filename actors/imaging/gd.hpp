#pragma once

#include <dlfcn.h>
#include <gd.h>

#include <stdexcept>
#include <string>

namespace backstay::imaging {

/// GD's functions, loaded at the first picture and kept: linked in, GD brings some seventy libraries (HEIF, AVIF, X11),
/// which take 12 MB of every server that has never seen a picture.
class gd_library {
  struct symbol {
    void* address;
    template <class Function>
    operator Function*() const {
      return reinterpret_cast<Function*>(address);
    }
  };

  symbol find(const char* name) const {
    auto* address = dlsym(library_, name);
    if (!address) throw std::runtime_error{std::string{"libgd has no "} + name};
    return {address};
  }

  void* library_ = [] {
    auto* opened = dlopen("libgd.so.3", RTLD_NOW | RTLD_LOCAL);
    if (!opened) throw std::runtime_error{std::string{"libgd cannot be loaded: "} + dlerror()};
    return opened;
  }();

public:
  /// Thread-safe. @throws std::runtime_error when the library is not installed.
  static const gd_library& instance() {
    static const gd_library loaded;
    return loaded;
  }

  decltype(&gdImageCreateFromPngPtr) from_png = find("gdImageCreateFromPngPtr");
  decltype(&gdImageCreateFromJpegPtr) from_jpeg = find("gdImageCreateFromJpegPtr");
  decltype(&gdImageCreateFromWebpPtr) from_webp = find("gdImageCreateFromWebpPtr");
  decltype(&gdImageCreateFromGifPtr) from_gif = find("gdImageCreateFromGifPtr");
  decltype(&gdImageDestroy) destroy = find("gdImageDestroy");
  decltype(&gdImagePaletteToTrueColor) to_true_color = find("gdImagePaletteToTrueColor");
  decltype(&gdImageScale) scale = find("gdImageScale");
  decltype(&gdImageFlipHorizontal) flip_horizontal = find("gdImageFlipHorizontal");
  decltype(&gdImageFlipVertical) flip_vertical = find("gdImageFlipVertical");
  decltype(&gdImageRotateInterpolated) rotate = find("gdImageRotateInterpolated");
  decltype(&gdImageSaveAlpha) save_alpha = find("gdImageSaveAlpha");
  decltype(&gdImagePngPtr) to_png = find("gdImagePngPtr");
  decltype(&gdFree) free = find("gdFree");
  decltype(&gdSetErrorMethod) set_error_method = find("gdSetErrorMethod");
};

} // namespace backstay::imaging
