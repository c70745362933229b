#include "actors/kernel/crypto.hpp"
#include "http/kernel/endpoint.hpp"
#include "http/mobile/family.hpp"
#include "http/mobile/shapes.hpp"

#include "http/policy/cookies.hpp"
#include <algorithm>

namespace backstay::http::mobile {

namespace {

using identities::create_login_link;
using identities::link_telegram;
using identities::sign_in_by_login_link;
using identities::sign_in_by_mini_app;
using identities::sign_in_by_widget;

constexpr shape login_link{
    field("token", &identities::login_link::token, rule{}, "43 characters; good once"),
    field("url", &identities::login_link::url, example(R"("https://t.me/example_bot?start=login_…")")),
    field("expires_at", &identities::login_link::expires_at),
};

constexpr shape linked{
    field("status", [](const identities::linked&) { return std::string{"linked"}; }),
    field("provider", &identities::linked::provider),
    field("provider_user_id", &identities::linked::subject, example(R"("123456789")")),
};

// ---- Telegram's own JSON inside of what clients send

/// The object in `base64`, of either alphabet, padded or not; discarded if it is none.
json read_base64_json(std::string base64) {
  std::replace(base64.begin(), base64.end(), '+', '-');
  std::replace(base64.begin(), base64.end(), '/', '_');
  base64.erase(std::find(base64.begin(), base64.end(), '='), base64.end());
  auto text = crypto::from_base64url(base64).value_or("");
  return is_utf8(text) ? json::parse(text, nullptr, false) : json(json::value_t::discarded);
}

/// Text or a whole number, as Telegram signed it: in decimal digits.
std::optional<std::string> text_in(const json& object, const char* name) {
  auto found = object.find(name);
  if (found == object.end()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  return found->is_number_integer() ? std::optional{found->dump()} : std::nullopt;
}

std::optional<identities::widget> read_widget(const std::string& base64) {
  auto object = read_base64_json(base64);
  if (!object.is_object()) return std::nullopt;
  auto text = [&](const char* name) { return text_in(object, name); };
  return identities::widget{.id = text("id"),
                            .first_name = text("first_name"),
                            .last_name = text("last_name"),
                            .username = text("username"),
                            .photo_url = text("photo_url"),
                            .auth_date = text("auth_date"),
                            .hash = text("hash").value_or("")};
}

std::optional<identities::telegram_user> read_user(const std::string& text) {
  auto object = json::parse(text, nullptr, false);
  if (!object.is_object() || !object.contains("id") || !object["id"].is_number_unsigned()) return std::nullopt;
  auto id = object["id"].get<std::uint64_t>();
  if (!std::in_range<std::int64_t>(id)) return std::nullopt;
  return identities::telegram_user{.id = static_cast<std::int64_t>(id),
                                   .first_name = text_in(object, "first_name").value_or(""),
                                   .last_name = text_in(object, "last_name"),
                                   .username = text_in(object, "username")};
}

void read_auth_data(sign_in_by_widget& m) {
  auto found = read_widget(m.auth_data);
  if (!found) fail(ec::refused, "The Telegram data cannot be read.", "INVALID_TELEGRAM_AUTH");
  m.widget = std::move(*found);
  if (!m.device) fail_field("device", "Field required", "missing");
}

/// What cannot be read stays empty, and is refused like anything else that Telegram did not sign.
void read_init_data(sign_in_by_mini_app& m) {
  try {
    for (auto& [name, value] : read_form(m.init_data)) m.fields.emplace(name, value);
  } catch (const fault_error&) {
    m.fields.clear();
  }
  auto user = m.fields.find("user");
  if (user != m.fields.end()) m.user = read_user(user->second).value_or(identities::telegram_user{});
}

/// An app that knows nothing of widgets sends all of it as `code`.
void read_code(link_telegram& m) {
  auto found = read_widget(*m.code);
  if (!found) fail(ec::refused, "OAuth authentication failed.", "OAUTH_FAILED");
  m.id = found->id;
  m.first_name = found->first_name;
  m.last_name = found->last_name;
  m.username = found->username;
  m.photo_url = found->photo_url;
  m.auth_date = found->auth_date;
  m.hash = found->hash;
}

void require_widget(const link_telegram& m, const char* place) {
  fault incomplete{.code = ec::invalid};
  auto require = [&](const char* name, bool is_there) {
    if (!is_there) incomplete.problems.push_back({{place, name}, "Field required", "missing"});
  };
  require("id", m.id.has_value());
  require("first_name", m.first_name.has_value());
  require("auth_date", m.auth_date.has_value());
  require("hash", m.hash.has_value());
  require("state", m.state.has_value());
  if (!incomplete.problems.empty()) fail(std::move(incomplete));
}

void read_posted(link_telegram& m) { m.code ? read_code(m) : require_widget(m, "body"); }
void read_query(link_telegram& m) { require_widget(m, "query"); }

constexpr rule number = length(1, 20).or_integer();
constexpr rule name = length(0, 255);
constexpr rule hash = length(64, 64);
constexpr rule state = length(1, 200);

constexpr std::tuple endpoints{
    post<sign_in_by_widget>(
        "/api/v1/mobile/auth/telegram/callback", allow::anyone, bucket::login,
        "Sign in with what Telegram's login widget gave the app", answers(200, mobile_session),
        decorated_by(set_session_cookies), fails(400, "INVALID_TELEGRAM_AUTH: Telegram did not sign it"),
        fails(401, "TELEGRAM_AUTH_EXPIRED: over a day old, or used before"),
        from_json("auth_data", &sign_in_by_widget::auth_data, length(1, 8192),
                  "Base64 of the widget's JSON: id, first_name, last_name, username, photo_url, auth_date, hash"),
        from_json("device", &sign_in_by_widget::device, device),
        from_json("referral_code", &sign_in_by_widget::referral_code, referral_code, invited),
        refined_by(read_auth_data), from_origin(&sign_in_by_widget::origin)),

    post<sign_in_by_mini_app>("/api/v1/auth/telegram/miniapp", allow::anyone, bucket::login,
                              "Sign in with the initData of a Telegram Mini App", answers(200, session),
                              decorated_by(set_session_cookies),
                              fails(401, "Telegram did not sign it, or it is over a day old"),
                              from_json("init_data", &sign_in_by_mini_app::init_data, length(1, 4096)),
                              from_json("referral_code", &sign_in_by_mini_app::referral_code, referral_code, invited),
                              refined_by(read_init_data), from_origin(&sign_in_by_mini_app::origin)),

    post<create_login_link>("/api/v1/auth/telegram/generate-login-link", allow::anyone_better_signed_in,
                            bucket::general, "Make a link that signs in a Telegram user's account, once",
                            answers(200, login_link), fails(401, "Neither an administrator's token nor the bot's"),
                            fails(403, "No administrator, or below that account"),
                            from_session(&create_login_link::caller), from_bearer(&create_login_link::bearer),
                            from_json("telegram_id", &create_login_link::telegram_id, between(1, INT64_MAX)),
                            from_origin(&create_login_link::origin)),

    post<sign_in_by_login_link>(
        "/api/v1/auth/telegram/bot-link", allow::anyone, bucket::login,
        "Sign in with the token of a link that the bot gave", answers(200, session), decorated_by(set_session_cookies),
        fails(401, "Unknown, used or expired, or its account is gone"),
        from_json("token", &sign_in_by_login_link::token, length(1, 200)), from_origin(&sign_in_by_login_link::origin)),

    post<link_telegram>(
        "/api/v1/oauth/telegram/callback", allow::signed_in, bucket::general,
        "Link Telegram with what its login widget gave", answers(200, linked),
        fails(400, "The state or the widget's data is not good"),
        fails(409, "The identity is another account's, or the account has another one there"),
        from_json("id", &link_telegram::id, number), from_json("first_name", &link_telegram::first_name, name),
        from_json("last_name", &link_telegram::last_name, name), from_json("username", &link_telegram::username, name),
        from_json("photo_url", &link_telegram::photo_url, length(0, 2000)),
        from_json("auth_date", &link_telegram::auth_date, number), from_json("hash", &link_telegram::hash, hash),
        from_json("code", &link_telegram::code, length(1, 8192), "All of the above as base64 of JSON instead"),
        from_json("state", &link_telegram::state, state, "The newest of this session when missing beside `code`"),
        refined_by(read_posted), from_session(&link_telegram::caller), from_origin(&link_telegram::origin)),

    get<link_telegram>(
        "/api/v1/oauth/telegram/callback", allow::signed_in, bucket::general,
        "Link Telegram with what its login widget gave", answers(200, linked),
        fails(400, "The state or the widget's data is not good"),
        fails(409, "The identity is another account's, or the account has another one there"),
        from_query("id", &link_telegram::id, number), from_query("first_name", &link_telegram::first_name, name),
        from_query("last_name", &link_telegram::last_name, name),
        from_query("username", &link_telegram::username, name),
        from_query("photo_url", &link_telegram::photo_url, length(0, 2000)),
        from_query("auth_date", &link_telegram::auth_date, number), from_query("hash", &link_telegram::hash, hash),
        from_query("state", &link_telegram::state, state), refined_by(read_query), from_session(&link_telegram::caller),
        from_origin(&link_telegram::origin)),
};

} // namespace

void add_telegram(router& to, const domains& who) {
  add_endpoints(to, family, "Sign-in by Telegram", who.identities, endpoints);
}

} // namespace backstay::http::mobile
