#include "integrations/tribute/dialect.hpp"

#include "actors/kernel/crypto.hpp"
#include "actors/kernel/text.hpp"
#include "integrations/call.hpp"
#include "integrations/json.hpp"

#include <algorithm>

namespace backstay::tribute {

namespace {

using integrations::fail_outside;
using integrations::fields;
using integrations::find_header;
using payment_provider::charge;
using payment_provider::charge_state;
using payment_provider::webhook_event;

/// Donations have no ids. What makes up this one stays the same when Tribute repeats itself.
std::string id_of(const fields& event, const fields& donation, std::int64_t donor, std::int64_t amount) {
  return "donation_" + std::to_string(donation.get<std::int64_t>("donation_request_id")) + "_" + std::to_string(donor) +
         "_" + std::to_string(amount) + "_" + event.get<std::string>("created_at");
}

money read_amount(const fields& donation) {
  const auto amount = donation.get<std::int64_t>("amount");
  auto currency = to_upper(donation.get<std::string>("currency"));
  if (amount <= 0 || currency.size() != 3) fail_outside(ec::malformed, "not an amount of money");
  return {amount, std::move(currency)};
}

charge read_donation(const fields& event, const settings& terms) {
  const auto donation = event.in("payload");
  const auto price = read_amount(donation);
  const auto donor = donation.get<std::optional<std::int64_t>>("telegram_user_id").value_or(0);
  const bool is_taken =
      std::find(terms.currencies.begin(), terms.currencies.end(), price.currency) != terms.currencies.end();
  return {.external_id = id_of(event, donation, donor, price.minor),
          .state = charge_state::paid,
          .price = price,
          .paid_at = event.get<timestamp>("created_at"),
          .payer = is_taken ? donor : 0};
}

} // namespace

webhook_event read_webhook(const payment_provider::read_webhook& hook, const settings& terms) {
  const auto mac = crypto::to_hex(crypto::hmac(terms.api_key.reveal(), hook.body));
  // Everybody can sign with no key.
  if (terms.api_key.empty() || !crypto::equal(mac, find_header(hook.headers, "trbt-signature")))
    fail(ec::unauthenticated);
  const auto document = integrations::parse(hook.body, ec::malformed);
  const fields event{document, ec::malformed};
  const auto name = event.get<std::string>("name");
  if (name != "new_donation" && name != "recurrent_donation")
    return {crypto::to_hex(crypto::sha256(hook.body)), std::nullopt};
  auto paid = read_donation(event, terms);
  auto id = paid.external_id; // the body's hash would not do: a repetition tells another `sent_at`
  return {std::move(id), std::move(paid), true};
}

} // namespace backstay::tribute
