#include "integrations/tribute/client.hpp"

#include "integrations/payment/method.hpp"

namespace backstay::tribute {

namespace {

using namespace payment_provider;

/// The donor decides how much to give, and Tribute passes nothing of ours through: this charge is never heard of again.
charge create(const settings& where, const create_charge& order) {
  if (!order.saved_method.empty() || where.donate_url.empty()) fail_not_supported();
  return {
      .external_id = to_string(order.payment), .payment = order.payment, .price = order.price, .url = where.donate_url};
}

} // namespace

provider_actor::behavior_type client(provider_actor::stateful_pointer<client_state> self, vitals_ptr pulse,
                                     tribute::settings settings) {
  auto on = handlers(self, std::move(pulse));
  self->state.settings = std::move(settings);
  return {
      on([self](const create_charge& order) { return create(self->state.settings, order); }),
      on([](const list_charges&) { return charge_list{}; }),
      on([](const find_charge&) { return charge_list{}; }),
      on([](const refund_charge&) -> charge { fail_not_supported(); }),
      on([](const answer_checkout&) -> done { fail_not_supported(); }),
      on([self](const payment_provider::read_webhook& hook) {
        return tribute::read_webhook(hook, self->state.settings);
      }),
  };
}

std::vector<method> methods(const config::settings& settings) {
  if (settings.tribute.api_key.empty()) return {};
  auto donation = offered("tribute", "Tribute", "tribute", method_kind::donation, settings.tribute);
  donation.enabled = donation.enabled && !settings.tribute.donate_url.empty();
  return {donation};
}

caf::actor spawn(caf::scheduled_actor* parent, integrations::client_context context, const config::settings& settings) {
  return caf::actor_cast<caf::actor>(parent->spawn(client, std::move(context.pulse), settings.tribute));
}

} // namespace backstay::tribute
