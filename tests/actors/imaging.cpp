#define CAF_SUITE imaging

#include "actors/imaging/actor.hpp"
#include "actors/imaging/rules.hpp"
#include "tests/actors/scene.hpp"

#include <gd.h>

#include <cstring>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::imaging;

namespace {

using drawing = std::unique_ptr<gdImage, decltype(&gdImageDestroy)>;

/// A red field with a blue left half.
drawing draw(int width, int height) {
  drawing made{gdImageCreateTrueColor(width, height), gdImageDestroy};
  gdImageFilledRectangle(made.get(), 0, 0, width, height, gdTrueColor(255, 0, 0));
  gdImageFilledRectangle(made.get(), 0, 0, width / 2 - 1, height, gdTrueColor(0, 0, 255));
  return made;
}

/// `size` by reference: it is set while the other argument is made.
std::string taken(void* bytes, const int& size) {
  std::string file{static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
  gdFree(bytes);
  return file;
}

std::string file_of(format what, int width = 40, int height = 20) {
  auto made = draw(width, height);
  int size = 0;
  switch (what) {
  case format::png:
    return taken(gdImagePngPtr(made.get(), &size), size);
  case format::jpeg:
    return taken(gdImageJpegPtr(made.get(), &size, 90), size);
  case format::webp:
    return taken(gdImageWebpPtr(made.get(), &size), size);
  case format::gif:
    break;
  }
  return taken(gdImageGifPtr(made.get(), &size), size);
}

drawing decoded(const std::string& png) {
  std::string copy = png;
  return {gdImageCreateFromPngPtr(static_cast<int>(copy.size()), copy.data()), gdImageDestroy};
}

/// "blue red": the colours of its left and right.
std::string colours_of(const picture& made) {
  auto image = decoded(made.png);
  auto name_at = [&](int x) {
    auto pixel = gdImageGetTrueColorPixel(image.get(), x, gdImageSY(image.get()) / 2);
    if (gdTrueColorGetBlue(pixel) > 200 && gdTrueColorGetRed(pixel) < 60) return std::string{"blue"};
    return std::string{gdTrueColorGetRed(pixel) > 200 && gdTrueColorGetBlue(pixel) < 60 ? "red" : "another"};
  };
  return name_at(2) + " " + name_at(gdImageSX(image.get()) - 3);
}

/// The reason that a file is refused for; empty if it is not.
std::string refusal_of(const std::string& file) {
  try {
    re_encode(file);
  } catch (const fault_error& error) {
    CAF_CHECK(error.what_failed.code == ec::refused);
    CAF_CHECK_EQUAL(error.what_failed.name, "INVALID_IMAGE");
    return error.what_failed.message;
  }
  return {};
}

constexpr auto no_picture = "This is not a PNG, JPEG, WebP or GIF picture.", damaged = "The picture is damaged.",
               too_wide = "The picture is too wide or too high.";

void put(std::string& file, std::size_t at, std::initializer_list<int> bytes) {
  for (int byte : bytes) file.at(at++) = static_cast<char>(byte);
}

/// Two frames, the first as `draw` paints it.
std::string animation() {
  auto first = draw(40, 20);
  drawing second{gdImageCreateTrueColor(40, 20), gdImageDestroy};
  for (auto* each : {first.get(), second.get()}) gdImageTrueColorToPalette(each, 0, 16);
  int size = 0;
  auto file = taken(gdImageGifAnimBeginPtr(first.get(), &size, 1, 0), size);
  for (auto* each : {first.get(), second.get()}) {
    auto* frame = gdImageGifAnimAddPtr(each, &size, 1, 0, 0, 10, 1, nullptr);
    file += taken(frame, size);
  }
  return file + taken(gdImageGifAnimEndPtr(&size), size);
}

} // namespace

CAF_TEST(files tell their format and size) {
  for (auto what : {format::png, format::jpeg, format::webp, format::gif})
    CAF_CHECK(outline_of(file_of(what)) == (outline{what, 40, 20}));
}

CAF_TEST(every format becomes a PNG of the same picture) {
  for (auto what : {format::png, format::jpeg, format::webp, format::gif}) {
    auto made = re_encode(file_of(what));
    CAF_CHECK(outline_of(made.png) == (outline{format::png, 40, 20}));
    CAF_CHECK_EQUAL(colours_of(made), "blue red");
  }
}

CAF_TEST(a large picture becomes small and keeps its proportions) {
  CAF_CHECK(outline_of(re_encode(file_of(format::jpeg, 2048, 1024)).png) == (outline{format::png, 512, 256}));
  CAF_CHECK(outline_of(re_encode(file_of(format::png, 3, 2000)).png) == (outline{format::png, 1, 512}));
  CAF_CHECK(outline_of(re_encode(file_of(format::webp, 512, 512)).png) == (outline{format::png, 512, 512}));
}

CAF_TEST(transparency stays) {
  drawing glass{gdImageCreateTrueColor(1024, 1024), gdImageDestroy};
  gdImageAlphaBlending(glass.get(), 0);
  gdImageSaveAlpha(glass.get(), 1);
  gdImageFilledRectangle(glass.get(), 0, 0, 1024, 1024, gdTrueColorAlpha(0, 255, 0, gdAlphaTransparent));
  int size = 0;
  auto file = taken(gdImagePngPtr(glass.get(), &size), size);
  auto made = decoded(re_encode(file).png);
  CAF_CHECK_EQUAL(gdTrueColorGetAlpha(gdImageGetTrueColorPixel(made.get(), 100, 100)), gdAlphaTransparent);
}

CAF_TEST(of an animation the first frame counts) {
  auto made = re_encode(animation());
  CAF_CHECK(outline_of(made.png) == (outline{format::png, 40, 20}));
  CAF_CHECK_EQUAL(colours_of(made), "blue red");
}

CAF_TEST(metadata is gone) {
  auto file = file_of(format::jpeg);
  std::string exif{"\xff\xe1\x00\x2a"
                   "Exif\0\0GPS 52.5163 N 13.3777 E, taken by Bob",
                   4 + 0x2a - 2};
  file.insert(2, exif);
  CAF_REQUIRE(outline_of(file) == (outline{format::jpeg, 40, 20}));
  auto made = re_encode(file);
  CAF_CHECK(made.png.find("GPS") == std::string::npos);
  CAF_CHECK(made.png.find("Exif") == std::string::npos);
  CAF_CHECK_EQUAL(colours_of(made), "blue red");
}

CAF_TEST(a picture stands upright however the camera was held) {
  auto held = [](int orientation) {
    std::string tiff{"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19};
    tiff += static_cast<char>(orientation);
    tiff += std::string("\0\0\0\0\0\0", 6);
    auto file = file_of(format::jpeg);
    return file.insert(2, std::string{"\xff\xe1\0\x22"
                                      "Exif\0\0",
                                      10} +
                              tiff);
  };
  // The colours at the top left, top right and bottom left.
  auto turned = [&](int orientation) {
    auto made = decoded(re_encode(held(orientation)).png);
    auto is_blue = [&](int x, int y) { return gdTrueColorGetBlue(gdImageGetTrueColorPixel(made.get(), x, y)) > 128; };
    auto right = gdImageSX(made.get()) - 2, bottom = gdImageSY(made.get()) - 2;
    return std::string{is_blue(2, 2) ? "blue" : "red"} + (is_blue(right, 2) ? " blue" : " red") +
           (is_blue(2, bottom) ? " blue" : " red");
  };
  for (int upright : {0, 1, 4, 9}) CAF_CHECK_EQUAL(turned(upright), "blue red blue");
  for (int mirrored : {2, 3}) CAF_CHECK_EQUAL(turned(mirrored), "red blue red");
  for (int clockwise : {5, 6}) CAF_CHECK_EQUAL(turned(clockwise), "blue blue red");
  for (int counter_clockwise : {7, 8}) CAF_CHECK_EQUAL(turned(counter_clockwise), "red red blue");
}

CAF_TEST(what is no picture is refused) {
  for (auto& bad : {std::string{}, std::string{"hello"}, std::string(1000, '\0'),
                    "<svg xmlns='http://www.w3.org/2000/svg'>" + std::string(100, ' '),
                    "%PDF-1.7" + std::string(100, ' '), "BM" + std::string(100, '\0')})
    CAF_CHECK_EQUAL(refusal_of(bad), no_picture);
}

CAF_TEST(a wrong magic is refused whatever follows) {
  for (auto what : {format::png, format::jpeg, format::webp, format::gif}) {
    auto file = file_of(what);
    file[1] = 'x';
    CAF_CHECK_EQUAL(refusal_of(file), no_picture);
  }
  // The magic of one before the content of another.
  auto png = file_of(format::png), gif = file_of(format::gif);
  CAF_CHECK_EQUAL(refusal_of(png.substr(0, 8) + gif.substr(8)), no_picture);
}

CAF_TEST(a truncated file is refused) {
  for (auto what : {format::png, format::jpeg, format::webp, format::gif}) {
    auto file = file_of(what, 200, 100);
    for (auto part : {file.size() - 1, file.size() * 3 / 4, file.size() / 2, file.size() / 4, std::size_t{40}})
      CAF_CHECK(!refusal_of(file.substr(0, part)).empty());
  }
}

CAF_TEST(a small file that claims to be huge is refused before it is decoded) {
  auto png = file_of(format::png);
  put(png, 16, {0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30}); // 30000 × 30000
  CAF_CHECK_EQUAL(refusal_of(png), too_wide);
  put(png, 16, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  CAF_CHECK_EQUAL(refusal_of(png), too_wide);
  put(png, 16, {0, 0, 0, 0, 0, 0, 0, 1});
  CAF_CHECK_EQUAL(refusal_of(png), too_wide);
  auto gif = file_of(format::gif);
  put(gif, 6, {0xff, 0xff, 0xff, 0xff});
  CAF_CHECK_EQUAL(refusal_of(gif), too_wide);
  auto jpeg = file_of(format::jpeg);
  auto frame = jpeg.find("\xff\xc0");
  CAF_REQUIRE(frame != std::string::npos);
  put(jpeg, frame + 5, {0xff, 0xdc, 0xff, 0xdc});
  CAF_CHECK_EQUAL(refusal_of(jpeg), too_wide);
}

CAF_TEST(a frame that is larger than its screen is refused) {
  auto gif = file_of(format::gif);
  put(gif, 6, {1, 0, 1, 0});
  CAF_CHECK_EQUAL(refusal_of(gif), damaged);
}

CAF_TEST(moderate is what memory bears) {
  CAF_CHECK(is_moderate({format::png, 4096, 4096}));
  CAF_CHECK(is_moderate({format::png, 8192, 2048}));
  CAF_CHECK(!is_moderate({format::png, 4097, 4096}));
  CAF_CHECK(!is_moderate({format::png, 8193, 1}));
  CAF_CHECK(!is_moderate({format::png, 65'536, 65'536})); // 2^32 pixels
  CAF_CHECK(!is_moderate({format::png, 0, 5}));
}

CAF_TEST(a file above two mebibytes is refused) {
  CAF_CHECK_EQUAL(refusal_of(file_of(format::png) + std::string(2 * 1024 * 1024, ' ')),
                  "The picture is larger than 2 MiB.");
}

CAF_TEST_FIXTURE_SCOPE(imaging_actor_tests, scene)

CAF_TEST(the actor answers a picture or why not ) {
  auto engraving = on_stage(sys.spawn(engraver));
  CAF_CHECK(outline_of(answer_of(engraving, picture_job{file_of(format::gif)}).png) == (outline{format::png, 40, 20}));
  CAF_CHECK_EQUAL(fault_of(engraving, picture_job{"nonsense"}).name, "INVALID_IMAGE");
}

CAF_TEST_FIXTURE_SCOPE_END()
