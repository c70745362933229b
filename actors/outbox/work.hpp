#pragma once

#include "actors/kernel/id.hpp"
#include "actors/kernel/names.hpp"
#include "config/secret.hpp"
#include "integrations/payment/messages.hpp"

#include <optional>
#include <string>
#include <variant>

/// Effects that leave the database: each is a row, written in the transaction of its cause.
namespace backstay::outbox {

/// What a mail says; the texts are in letters.cpp.
enum class template_name : std::uint8_t {
  verification_code, ///< a code that confirms the address
  verification_link, ///< a link that does
  password_reset,    ///< a code and a link that set a new password
  magic_link,        ///< a link that signs in
  email_changed,     ///< to the old address: it is not the account's any more
  password_changed,
  account_deleted,
};

/// The values are filled in when the mail is sent. `code` and `link`, if the template has them, are kept encrypted and
/// emptied once sent.
struct mail_work {
  std::string to, locale;
  template_name template_ = template_name::verification_code;
  secret code, link;
};

/// Brings the panel's user in line with our subscription row, whatever it says by then.
struct panel_work {
  account_id account;
};

/// A provider's webhook, verified; its charge is read again and settled. A provider that cannot be asked has told all
/// there is to know: the `proof`.
struct settle_work {
  std::string provider, external_id;
  std::optional<payment_provider::charge> proof{};
};

/// Adding an effect: a struct and its kind here, its JSON in persistence/outbox.cpp, its back-off in
/// actors/outbox/rules.cpp, its performer in actors/outbox/actor.cpp.
using work = std::variant<mail_work, panel_work, settle_work>;

/// Which alternative of `work`, in their order.
enum class kind : std::uint8_t { mail, panel, settle };

inline kind kind_of(const work& what) { return static_cast<kind>(what.index()); }

} // namespace backstay::outbox

template <>
inline constexpr std::array backstay::names_of<backstay::outbox::template_name>{
    "verification_code", "verification_link", "password_reset", "magic_link",
    "email_changed",     "password_changed",  "account_deleted"};
template <>
inline constexpr std::array backstay::names_of<backstay::outbox::kind>{"mail", "panel", "settle"};

static_assert(backstay::names_of<backstay::outbox::kind>.size() == std::variant_size_v<backstay::outbox::work>);
