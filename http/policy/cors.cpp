#include "http/policy/cors.hpp"

#include <algorithm>

namespace backstay::http {

bool cors_policy::allows(std::string_view origin) const {
  return std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
}

std::vector<std::pair<std::string, std::string>> cors_policy::headers_for(const request& in) const {
  if (origins_.empty()) return {};
  std::vector<std::pair<std::string, std::string>> headers{{"Vary", "Origin"}};
  auto origin = in.header("Origin");
  if (!origin.empty() && allows(origin)) {
    headers.emplace_back("Access-Control-Allow-Origin", origin);
    headers.emplace_back("Access-Control-Allow-Credentials", "true");
    headers.emplace_back("Access-Control-Expose-Headers", "X-Request-ID, Retry-After");
  }
  return headers;
}

std::optional<response> cors_policy::answer_preflight(const request& in, const std::string& methods) const {
  if (in.method != "OPTIONS" || in.header("Access-Control-Request-Method").empty()) return std::nullopt;
  response out{.status = 204, .content_type = {}, .headers = {}};
  if (!allows(in.header("Origin"))) return out; // without the allowing headers the browser refuses
  out.headers.emplace_back("Access-Control-Allow-Methods", methods);
  out.headers.emplace_back("Access-Control-Allow-Headers",
                           "Authorization, Content-Type, Idempotency-Key, X-CSRF-Token, X-Request-ID");
  out.headers.emplace_back("Access-Control-Max-Age", "600");
  return out;
}

} // namespace backstay::http
