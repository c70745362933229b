#include "config/keys.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <sodium.h>
#include <stdexcept>
#include <system_error>
#include <unistd.h>

namespace backstay::config {

namespace {

[[noreturn]] void fail(const std::filesystem::path& file, int error = errno) {
  throw std::system_error(error, std::generic_category(), file.string());
}

std::optional<secret> from_hex(std::string_view text) {
  std::string bytes(text.size() / 2, '\0');
  std::size_t length = 0;
  const auto failed = sodium_hex2bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                                     text.size(), nullptr, &length, nullptr);
  if (failed || length * 2 != text.size()) return {};
  return secret{std::move(bytes)};
}

std::optional<secret> from_base64url(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  std::size_t length = 0;
  const auto failed =
      sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(), text.size(), nullptr,
                        &length, nullptr, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  if (failed) return {};
  bytes.resize(length);
  return secret{std::move(bytes)};
}

const unsigned char* bytes_of(const secret& key) { return reinterpret_cast<const unsigned char*>(key.reveal().data()); }

secret make_key() {
  if (sodium_init() < 0) throw std::runtime_error("libsodium has no source of random numbers");
  std::string bytes(shortest_key, '\0');
  randombytes_buf(bytes.data(), bytes.size());
  return secret{std::move(bytes)};
}

/// Writes a new private file that is safe on the disk when this returns.
void write_private(const std::filesystem::path& file, const std::string& content) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) fail(file);
  errno = 0;
  const bool written = ::write(descriptor, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
                       ::fsync(descriptor) == 0;
  const int error = errno ? errno : EIO; // a short write sets no error
  ::close(descriptor);
  if (!written) fail(file, error);
}

/// Gives `file` its first content; does nothing if another process was faster. A link, unlike a rename, never
/// replaces what is there.
void create_keys(const std::filesystem::path& file) {
  auto draft = file;
  draft += fmt::format(".{}.{}", ::getpid(), randombytes_random());
  write_private(draft, encode_key(make_key()) + "\n");
  const int error = ::link(draft.c_str(), file.c_str()) == 0 ? 0 : errno;
  ::unlink(draft.c_str());
  if (error && error != EEXIST) fail(file, error);
}

} // namespace

std::optional<secret> decode_key(std::string_view text) {
  auto key = from_hex(text);
  if (!key) key = from_base64url(text);
  if (key && key->reveal().size() < shortest_key) key.reset();
  return key;
}

std::string encode_key(const secret& key) {
  const auto size = key.reveal().size();
  std::string text(sodium_base64_encoded_len(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes_of(key), size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  text.pop_back(); // the terminating zero
  return text;
}

std::string encode_key_as_hex(const secret& key) {
  const auto size = key.reveal().size();
  std::string text(size * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes_of(key), size);
  text.pop_back(); // the terminating zero
  return text;
}

key_file read_keys(const std::filesystem::path& file) {
  std::ifstream input(file);
  if (!input) fail(file);
  key_file result;
  std::size_t number = 0;
  for (std::string line; std::getline(input, line);) {
    ++number;
    if (const auto end = line.find_last_not_of(" \t\r"); end == line.npos || line.starts_with('#')) continue;
    else line.resize(end + 1);
    if (auto key = decode_key(line)) result.keys.push_back(std::move(*key));
    else result.bad_lines.push_back(number);
  }
  if (input.bad()) fail(file, EIO); // a directory opens, but cannot be read
  return result;
}

std::vector<secret> development_keys(const std::filesystem::path& data_directory) {
  const auto file = data_directory / "keys";
  std::filesystem::create_directories(data_directory);
  if (!std::filesystem::exists(file)) create_keys(file);
  auto [keys, bad_lines] = read_keys(file);
  if (keys.empty() || !bad_lines.empty())
    throw std::runtime_error(file.string() + " holds something else than keys; remove it to get a new one");
  return std::move(keys);
}

} // namespace backstay::config
