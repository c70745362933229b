#pragma once

#include "http/kernel/message.hpp"

#include <optional>
#include <string>
#include <vector>

namespace backstay::http {

/// Cross-origin requests (Fetch standard): denied unless the origin is listed in `http.cors_origins`.
class cors_policy {
public:
  explicit cors_policy(std::vector<std::string> origins) : origins_(std::move(origins)) {}

  /// The answer to a preflight request; empty when `in` is none.
  std::optional<response> answer_preflight(const request& in, const std::string& methods) const;

  /// The headers that let a page of a listed origin read an answer; none for others.
  std::vector<std::pair<std::string, std::string>> headers_for(const request& in) const;

  bool allows(std::string_view origin) const;

private:
  std::vector<std::string> origins_;
};

} // namespace backstay::http
