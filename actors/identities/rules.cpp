#include "actors/identities/rules.hpp"

#include <algorithm>

namespace backstay::identities {

namespace {

std::string app_page(const std::string& page, provider which) {
  return page + "?provider=" + std::string{name_of(which)};
}

bool has_latin_letter(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
}

ec refusal(bool is_signed_in) { return is_signed_in ? ec::refused : ec::unauthenticated; }

} // namespace

std::optional<oauth::provider> oauth_provider_of(provider which) { return from_name<oauth::provider>(name_of(which)); }

bool is_allowed(const std::vector<std::string>& allowed, const std::string& uri, provider which) {
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](auto& each) { return uri == each || uri == app_page(each, which); });
}

std::optional<std::string> default_redirect_uri(const std::vector<std::string>& allowed, provider which) {
  return allowed.empty() ? std::nullopt : std::optional{app_page(allowed.front(), which)};
}

std::string login_source(provider which, const oauth::person& who) {
  for (auto& candidate : {who.username, who.name, who.email})
    if (candidate && has_latin_letter(*candidate)) return *candidate;
  return which == provider::telegram ? "tg_" + who.subject : std::string{name_of(which)} + "_user";
}

fault invalid_state(bool is_signed_in) {
  return {refusal(is_signed_in), "Invalid or expired OAuth state.", "OAUTH_STATE_INVALID"};
}

fault failed_at_provider(bool is_signed_in) {
  return {refusal(is_signed_in), "OAuth authentication failed.", "OAUTH_FAILED"};
}

fault not_available() {
  return {ec::not_found, "Signing in by this provider is not available.", "PROVIDER_NOT_AVAILABLE"};
}

} // namespace backstay::identities
