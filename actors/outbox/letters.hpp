#pragma once

#include "actors/outbox/work.hpp"
#include "integrations/mail/messages.hpp"

#include <string>

namespace backstay::outbox {

/// The mail that `what` asks for, in Russian for locales that begin with "ru", else in English; text and HTML say the
/// same. Pure. `key` goes to the provider with it.
mail::send_mail write_letter(const mail_work& what, const std::string& key);

} // namespace backstay::outbox
