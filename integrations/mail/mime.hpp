#pragma once

#include "actors/kernel/clock.hpp"
#include "config/secret.hpp"
#include "integrations/mail/messages.hpp"

#include <string>
#include <string_view>

namespace backstay::mail {

/// The address of `Name <address>`, or the whole text.
std::string address_of(std::string_view mailbox);

/// The mail as an Internet message (RFC 5322) with its text and HTML as alternatives (RFC 2046, 5.1.4), all ASCII. Its
/// Message-ID comes from the mail's key: a repeat has the same, by which mailboxes tell that they have it already.
/// Throws `refused` where a header would break out of its line.
secret compose(std::string_view from, const send_mail& what, timestamp now);

} // namespace backstay::mail
