#pragma once

#include "actors/kernel/id.hpp"
#include "config/secret.hpp"

#include <string>
#include <variant>

/// Effects that leave the database: each is a row, written in the transaction of its cause.
namespace backstay::outbox {

enum class template_name : std::uint8_t { verification_code };

/// The values are filled in when the mail is sent. `code` is kept encrypted and emptied once sent.
struct mail_work {
  std::string to, locale;
  template_name template_ = template_name::verification_code;
  secret code;
};

/// Brings the panel's user in line with our subscription row, whatever it says by then.
struct panel_work {
  account_id account;
};

/// A provider's webhook, verified; its charge is read again and settled.
struct settle_work {
  std::string provider, external_id;
};

/// Adding an effect: a struct here, its JSON in persistence/outbox.cpp, its performer in actors/outbox/actor.cpp.
using work = std::variant<mail_work, panel_work, settle_work>;

} // namespace backstay::outbox
