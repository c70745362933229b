#pragma once

#include "actors/kernel/role.hpp"
#include "http/kernel/errors.hpp"
#include "http/kernel/exchange.hpp"
#include "http/policy/buckets.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace prometheus {
class Histogram;
}

namespace backstay::http {

/// Who may call an endpoint.
class access {
public:
  enum class session { ignored, used_if_valid, needed };

  constexpr access(session who) : session_(who) {}
  constexpr access(permission needed) : session_(session::needed), permission_(needed) {}

  constexpr bool needs_session() const { return session_ == session::needed; }
  constexpr bool ignores_session() const { return session_ == session::ignored; }
  constexpr std::optional<permission> needed() const { return permission_; }

private:
  session session_;
  std::optional<permission> permission_;
};

namespace allow {
/// Without looking at the Authorization header: phones attach expired tokens to login and refresh.
inline constexpr access anyone = access::session::ignored;
/// A valid session shows more.
inline constexpr access anyone_better_signed_in = access::session::used_if_valid;
inline constexpr access signed_in = access::session::needed;
} // namespace allow

/// An endpoint as the router and the pipeline see it; made from a declaration (endpoint.hpp).
struct route {
  std::string method;
  std::vector<std::string> paths; ///< the first is the documented one, the rest are aliases
  http::access needs = allow::anyone;
  http::bucket bucket = bucket::general;
  std::size_t body_limit = 65'536;
  bool idempotent = false; ///< honours Idempotency-Key
  std::string tag, summary;
  const http::dialect* family = nullptr;
  std::function<void(const exchange_ptr&)> handle; ///< on the HTTP thread, after all policies
  std::function<nlohmann::json()> describe;        ///< the OpenAPI operation
  prometheus::Histogram* latency = nullptr;        ///< set when the server starts
};

} // namespace backstay::http
