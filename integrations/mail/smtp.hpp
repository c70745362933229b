#pragma once

#include "config/settings.hpp"
#include "integrations/call.hpp"
#include "integrations/mail/messages.hpp"
#include "integrations/transfers.hpp"

#include <caf/all.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace backstay::mail {

template <class T>
void admitted(const T&);

/// How a connection to an SMTP server is protected.
enum class protection {
  starttls, ///< required: without it nothing is sent (RFC 3207)
  implicit, ///< TLS from the start (RFC 8314)
  none,     ///< on loopback only
};

/// Port 465 is for TLS from the start; the names and addresses of loopback need none; all else must offer STARTTLS.
protection protection_of(std::string_view host, std::uint16_t port);

/// A conversation with the server ended; the thread of the transfers tells the actor that began it.
struct conversation_ended {
  std::uint64_t number = 0;
  CURLcode how = CURLE_OK;
  int status = 0; ///< the server's last reply; 0 without one
};

/// What a conversation's end means for its mail; `none` when it was accepted.
/// 550 to 554 refuse this mail for good (RFC 5321, 4.2.3); the rest may be better later.
ec meaning_of(CURLcode how, int status);

using smtp_actor = mail_actor::extend<caf::reacts_to<conversation_ended>>;

/// Loses with a crash: the replies that it waits for; those mails are sent again, with the same Message-ID.
struct smtp_state {
  smtp_state() = default;
  static inline constexpr auto name = "mail";

  integrations::client_context context;
  config::settings::mail_section settings;
  mail::protection protection = protection::starttls;
  std::unordered_map<std::uint64_t, caf::typed_response_promise<done>> open;
  std::uint64_t last = 0;
  std::unique_ptr<integrations::transfers> transfers;
};
static_assert(!std::is_aggregate_v<smtp_state>);

/// Hands each mail to `settings.host`, in a conversation of up to 20 s; certificates are verified.
smtp_actor::behavior_type smtp(smtp_actor::stateful_pointer<smtp_state> self, integrations::client_context context,
                               config::settings::mail_section settings, mail::protection protection);

} // namespace backstay::mail
