#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace backstay {

/// A UUID (RFC 9562): 16 bytes, written in lower case. The nil UUID means "none yet".
struct uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const uuid&) const = default;
  bool is_nil() const { return *this == uuid{}; }

  /// A random one (version 4) from the system's cryptographic generator.
  static uuid random();
  /// Accepts upper and lower case with dashes only.
  static std::optional<uuid> parse(std::string_view text);
};

std::string to_string(const uuid& value);

/// A UUID that cannot be mistaken for the id of another kind of thing.
template <class Tag>
struct id : uuid {
  static id random() { return {uuid::random()}; }
  static std::optional<id> parse(std::string_view text) {
    auto parsed = uuid::parse(text);
    return parsed ? std::optional{id{*parsed}} : std::nullopt;
  }
  auto operator<=>(const id&) const = default;
};

using account_id = id<struct account_tag>;
using session_id = id<struct session_tag>;
/// What a device signs in with.
using credential_id = id<struct credential_tag>;
using plan_id = id<struct plan_tag>;
using payment_id = id<struct payment_tag>;
using subscription_id = id<struct subscription_tag>;
using node_id = id<struct node_tag>;
/// What an `Idempotency-Key` became: the row that makes sure that an effect happens once.
using claim_id = id<struct claim_tag>;

} // namespace backstay

template <>
struct std::hash<backstay::uuid> {
  std::size_t operator()(const backstay::uuid& value) const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()});
  }
};
template <class Tag>
struct std::hash<backstay::id<Tag>> : std::hash<backstay::uuid> {};
