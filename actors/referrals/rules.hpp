#pragma once

#include "actors/referrals/store.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The decisions about referrals, without actors, SQL or clock.
namespace backstay::referrals {

/// 8 of the 32 capital letters and digits that nobody mistakes for each other (without 0, 1, I and O), from 8 random
/// bytes.
std::string code_from(std::string_view random);

/// A code as somebody typed it, or nothing if it cannot be one.
std::optional<std::string> read_code(std::string_view typed);

/// `percent` of what was paid, rounded down.
money commission(const money& paid, int percent);

/// Whether a payment is one that the bonuses were promised for.
bool brings_bonuses(const store::terms& terms, const money& paid);

/// Of what referrals brought, as much as the wallet still has; never below 0. Both in minor units.
std::int64_t withdrawable(std::int64_t credited, std::int64_t wallet);

/// The network that an address is in: of IPv4 the /24, of IPv6 the /64, which one customer owns. Empty for anything
/// that is no address.
std::string block_of(const std::string& address);

/// What tells where an account was made: digests of the device, the browser and the address block, as far as known.
std::vector<std::string> marks_of(const store::newcomer& who);

/// "j***@example.com"
std::string mask(const std::string& email);

} // namespace backstay::referrals
