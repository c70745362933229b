#include "config/shapes.hpp"

#include "config/keys.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <string>

namespace backstay::config {

namespace {

bool is_printable(unsigned char c) { return c > ' ' && c != 0x7f; }

bool is_unspaced(std::string_view text) { return std::all_of(text.begin(), text.end(), is_printable); }

bool is_family(int family, std::string_view text) {
  unsigned char parsed[sizeof(in6_addr)];
  return inet_pton(family, std::string(text).c_str(), parsed) == 1 && text.find('\0') == text.npos;
}

bool is_number_up_to(std::string_view text, int most) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number >= 0 && number <= most;
}

bool is_host(std::string_view text) {
  if (text.starts_with('[')) return text.ends_with(']') && is_family(AF_INET6, text.substr(1, text.size() - 2));
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == text.npos;
}

bool is_host_and_port(std::string_view text) {
  const auto colon = text.rfind(':');
  const auto bracket = text.rfind(']');
  if (colon == text.npos || (bracket != text.npos && colon < bracket)) return is_host(text);
  return is_host(text.substr(0, colon)) && is_number_up_to(text.substr(colon + 1), 65'535);
}

} // namespace

bool is_address(std::string_view text) { return is_family(AF_INET, text) || is_family(AF_INET6, text); }

bool is_network(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos) return is_address(text);
  const auto address = text.substr(0, slash);
  const auto bits = text.substr(slash + 1);
  return (is_family(AF_INET, address) && is_number_up_to(bits, 32)) ||
         (is_family(AF_INET6, address) && is_number_up_to(bits, 128));
}

bool is_url(std::string_view text) {
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const auto rest = text.substr(scheme.size());
    return is_host_and_port(rest.substr(0, rest.find('/'))) && rest.find_first_of("?#@") == rest.npos &&
           is_unspaced(rest);
  }
  return false;
}

bool is_url_or_empty(std::string_view text) { return text.empty() || is_url(text); }

bool is_host_or_empty(std::string_view text) {
  return text.empty() || is_address(text) || (is_host(text) && text.front() != '[');
}

bool is_origin(std::string_view text) {
  const auto separator = text.find("://");
  if (separator == text.npos || separator == 0) return false;
  const auto is_lower = [](char c) { return c < 'A' || c > 'Z'; };
  const auto scheme = text.substr(0, separator);
  return scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+.-") == scheme.npos &&
         is_host_and_port(text.substr(separator + 3)) && std::all_of(text.begin(), text.end(), is_lower);
}

bool is_database_url(std::string_view text) {
  if (text.empty() || text.starts_with("postgresql://") || text.starts_with("postgres://")) return true;
  const auto equals = text.find('=');
  return equals != text.npos && text.substr(0, equals).find("://") == text.npos;
}

bool is_path(std::string_view text) { return !text.empty() && text.find('\0') == text.npos; }

bool is_key(std::string_view text) { return decode_key(text).has_value(); }

bool is_redirect_uri(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == text.npos || !is_token(text) || text.find('#') != text.npos) return false;
  const auto scheme = text.substr(0, colon);
  const auto is_scheme = scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+.-") == scheme.npos;
  return is_scheme && !scheme.empty() && scheme != "javascript" && scheme != "data" && text.size() > colon + 1;
}

bool is_bot_token(std::string_view text) {
  const auto colon = text.find(':');
  if (text.empty() || colon == text.npos) return text.empty();
  const auto number = text.substr(0, colon);
  return !number.empty() && number.find_first_not_of("0123456789") == number.npos && is_token(text) &&
         text.size() > colon + 1;
}

bool is_token(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool is_currency(std::string_view text) {
  return text.size() == 3 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_mailbox(std::string_view text) {
  if (text.empty()) return true;
  const auto open = text.find('<');
  if (open != text.npos && !text.ends_with('>')) return false;
  const auto address = open == text.npos ? text : text.substr(open + 1, text.size() - open - 2);
  const auto at = address.find('@');
  const auto is_visible = [](char c) { return c == ' ' || is_printable(c); };
  return at != address.npos && at > 0 && is_unspaced(address) && is_host(address.substr(at + 1)) &&
         std::all_of(text.begin(), text.end(), is_visible);
}

bool is_issuer(std::string_view text) { return !text.empty() && text.size() <= 64 && text.find(':') == text.npos; }

} // namespace backstay::config
