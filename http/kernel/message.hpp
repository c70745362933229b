#pragma once

#include "http/kernel/text.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace backstay::http {

/// A request as it came in. Views point into memory that lives as long as the exchange.
struct request {
  std::string_view method; ///< "GET", …
  std::string_view target; ///< path and query as sent
  std::string_view path, query;
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::string_view body;
  std::string peer; ///< address of the other end of the connection

  /// The first header of that name (without regard to case); empty when there is none.
  std::string_view header(std::string_view name) const {
    for (auto& [key, value] : headers)
      if (equal_ignoring_case(key, name)) return value;
    return {};
  }

  /// The token of `Authorization: Bearer …` (RFC 6750, 2.1); empty without one.
  std::string_view bearer() const {
    auto value = header("Authorization");
    return equal_ignoring_case(value.substr(0, 7), "Bearer ") ? trim(value.substr(7)) : std::string_view{};
  }

  /// The value of a cookie (RFC 6265, 4.2.1); empty without it.
  std::string_view cookie(std::string_view name) const {
    for (auto rest = header("Cookie"); !rest.empty();) {
      auto pair = trim(rest.substr(0, rest.find(';')));
      if (pair.substr(0, pair.find('=')) == name && pair.size() > name.size()) return pair.substr(name.size() + 1);
      rest.remove_prefix(std::min(rest.size(), rest.find(';')));
      rest.remove_prefix(std::min<std::size_t>(rest.size(), 1));
    }
    return {};
  }
};

struct response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

} // namespace backstay::http
