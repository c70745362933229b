#pragma once

#include "config/secret.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The keys that sign tokens: raw bytes inside, text in files and settings.
namespace backstay::config {

/// The fewest bytes a key may have: the output length of SHA-256, as RFC 7518 (3.2) asks of HS256.
inline constexpr std::size_t shortest_key = 32;

/// The raw bytes of a key written in hex or base64url (padded or not). Nothing if it is neither, or too short.
/// Text that could be both is hex.
std::optional<secret> decode_key(std::string_view text);

/// Writes a key as base64url without padding.
std::string encode_key(const secret& key);

/// Writes a key in hex.
std::string encode_key_as_hex(const secret& key);

/// A file of keys, one a line, newest first; empty lines and those that begin with `#` do not count.
struct key_file {
  std::vector<secret> keys;
  std::vector<std::size_t> bad_lines; ///< Numbers of the lines that hold no key, from 1.
};

/// Reads a file of keys. Throws `std::system_error` where it cannot be read.
key_file read_keys(const std::filesystem::path& file);

/// The keys of a development server, from the file `keys` of its data directory. Makes both where they are missing:
/// the file with mode 0600 and all at once, so that of several processes that start together one makes the key and
/// all use it. Throws `std::system_error` where the file cannot be read or written, and `std::runtime_error` where it
/// holds something else than keys.
std::vector<secret> development_keys(const std::filesystem::path& data_directory);

} // namespace backstay::config
