#include "http/policy/access_token.hpp"

#include "actors/kernel/crypto.hpp"
#include "http/kernel/text.hpp"

#include <nlohmann/json.hpp>

namespace backstay::http {

namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr std::size_t longest = 2048, most_remembered = 20'000;
constexpr auto issuer = "backstay", audience = "backstay";

const std::string& header() {
  static const std::string text = crypto::to_base64url(R"({"alg":"HS256","typ":"JWT"})");
  return text;
}

std::int64_t seconds_of(timestamp moment) { return std::chrono::floor<seconds>(moment).time_since_epoch().count(); }

std::string text_of(const json& claims, const char* name) {
  auto found = claims.find(name);
  return found != claims.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::optional<timestamp> time_of(const json& claims, const char* name) {
  auto found = claims.find(name);
  if (found == claims.end() || !found->is_number_integer()) return std::nullopt;
  auto value = found->get<std::int64_t>();
  if (value < 0 || value > 253'402'300'799) return std::nullopt; // year 9999
  return timestamp{seconds{value}};
}

std::optional<sessions::access_grant> read_claims(const json& claims) {
  if (!claims.is_object() || text_of(claims, "iss") != issuer || text_of(claims, "aud") != audience ||
      text_of(claims, "type") != "access")
    return std::nullopt;
  auto account = account_id::parse(text_of(claims, "sub"));
  auto session = session_id::parse(text_of(claims, "sid"));
  auto who = from_name<role>(text_of(claims, "role"));
  auto issued = time_of(claims, "iat"), expires = time_of(claims, "exp");
  if (!account || !session || !who || !issued || !expires) return std::nullopt;
  sessions::access_grant grant{*account, *session, *who, text_of(claims, "jti"), std::nullopt, *issued, *expires};
  if (auto device = text_of(claims, "device_id"); !device.empty()) grant.device_id = device;
  return grant;
}

} // namespace

access_tokens::access_tokens(const std::vector<secret>& keys, clock_handle clock) : clock_(std::move(clock)) {
  for (auto& key : keys) keys_.emplace_back(crypto::hmac(key.reveal(), "access-token"));
}

std::string access_tokens::sign(const sessions::access_grant& grant) const {
  std::string claims = R"({"iss":"backstay","aud":"backstay","type":"access","sub":")" + to_string(grant.account) +
                       R"(","role":")" + std::string{name_of(grant.role)} + R"(","sid":")" + to_string(grant.session) +
                       R"(","jti":)";
  append_json_string(claims, grant.token_id);
  if (grant.device_id) {
    claims += R"(,"device_id":)";
    append_json_string(claims, *grant.device_id);
  }
  claims += R"(,"iat":)" + std::to_string(seconds_of(grant.issued_at)) + R"(,"exp":)" +
            std::to_string(seconds_of(grant.expires_at)) + "}";
  auto signed_part = header() + "." + crypto::to_base64url(claims);
  return signed_part + "." + crypto::to_base64url(crypto::hmac(keys_.front().reveal(), signed_part));
}

std::optional<sessions::access_grant> access_tokens::verify(std::string_view token) const {
  // We accept what we make: the one header, byte for byte. That leaves no room for `none` or another algorithm.
  auto first = token.find('.'), last = token.rfind('.');
  if (first == std::string_view::npos || first == last || token.substr(0, first) != header()) return std::nullopt;
  auto signature = crypto::from_base64url(token.substr(last + 1));
  if (!signature) return std::nullopt;
  bool known = std::any_of(keys_.begin(), keys_.end(), [&](auto& key) {
    return crypto::equal(*signature, crypto::hmac(key.reveal(), token.substr(0, last)));
  });
  auto claims = known ? crypto::from_base64url(token.substr(first + 1, last - first - 1)) : std::nullopt;
  return claims ? read_claims(json::parse(*claims, nullptr, false)) : std::nullopt;
}

access_tokens::reading access_tokens::read(std::string_view token) {
  if (token.size() > longest) return {};
  auto entry = verified_.find(std::string{token});
  if (entry == verified_.end()) {
    auto grant = verify(token);
    if (!grant) return {};
    if (verified_.size() >= most_remembered) verified_.clear();
    entry = verified_.emplace(token, std::move(*grant)).first;
  }
  auto& grant = entry->second;
  auto now = clock_->now();
  if (grant.expires_at <= now) return {verdict::expired, grant};
  if (grant.issued_at > now + std::chrono::minutes{1}) return {};
  return {verdict::valid, grant};
}

} // namespace backstay::http
