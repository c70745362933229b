#include "actors/referrals/rules.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>

namespace backstay::referrals {

namespace {

constexpr std::string_view alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
static_assert(alphabet.size() == 32, "five bits a character");
constexpr std::size_t code_length = 8;

} // namespace

std::string code_from(std::string_view random) {
  std::string code;
  for (char byte : random.substr(0, code_length)) code += alphabet[static_cast<unsigned char>(byte) % alphabet.size()];
  return code;
}

std::optional<std::string> read_code(std::string_view typed) {
  auto code = to_upper(typed);
  bool is_code = code.size() == code_length && code.find_first_not_of(alphabet) == std::string::npos;
  return is_code ? std::optional{code} : std::nullopt;
}

money commission(const money& paid, int percent) {
  // In two parts, so that no amount is too large to be multiplied.
  return {paid.minor / 100 * percent + paid.minor % 100 * percent / 100, paid.currency};
}

bool brings_bonuses(const store::terms& terms, const money& paid) {
  bool are_promised = terms.referred_bonus > 0 || terms.referrer_bonus > 0;
  return are_promised && paid.currency == terms.currency && paid.minor >= terms.minimum;
}

std::int64_t withdrawable(std::int64_t credited, std::int64_t wallet) {
  return std::max<std::int64_t>(0, std::min(credited, wallet));
}

std::string block_of(const std::string& address) {
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1)
    return crypto::to_hex({reinterpret_cast<char*>(bytes.data()), 3});
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1)
    return crypto::to_hex({reinterpret_cast<char*>(bytes.data()), 8});
  return {};
}

std::vector<std::string> marks_of(const store::newcomer& who) {
  std::vector<std::string> marks;
  auto add = [&](const std::string& kind, const std::string& what) {
    if (!what.empty()) marks.push_back(crypto::to_hex(crypto::sha256(kind + ":" + what)));
  };
  add("device", to_lower(who.device_id.value_or("")));
  if (who.origin.known_device) add("browser", to_string(who.origin.known_device->device));
  add("block", block_of(who.origin.address));
  return marks;
}

std::string mask(const std::string& email) {
  auto at = email.find('@');
  if (at == std::string::npos || at == 0) return {};
  return email.substr(0, 1) + "***" + email.substr(at);
}

} // namespace backstay::referrals
