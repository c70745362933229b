#include "integrations/mail/client.hpp"

#include "config/log.hpp"
#include "integrations/json.hpp"
#include "integrations/mail/smtp.hpp"

namespace backstay::mail {

namespace {

using integrations::call;
using integrations::fail_status;
using integrations::http_request;
using integrations::http_response;
using integrations::json;

using self_pointer = client_actor::stateful_pointer<client_state>;

/// https://resend.com/docs/api-reference/emails/send-email
http_request send_request(const config::settings::mail_section& where, const send_mail& order) {
  json body{{"from", where.from}, {"to", json::array({order.to})}, {"subject", order.subject}};
  if (!order.text.empty()) body["text"] = order.text.reveal();
  if (!order.html.empty()) body["html"] = order.html.reveal();
  http_request request{"POST", where.url + "/emails", {}, integrations::dump(body)};
  request.headers = {{"Authorization", "Bearer " + where.key.reveal()}, {"Content-Type", "application/json"}};
  if (!order.key.empty()) request.headers.emplace_back("Idempotency-Key", order.key);
  return request;
}

/// Resend's name of an error, such as `validation_error`; empty where there is none.
std::string error_name(const http_response& answer) {
  const auto document = json::parse(answer.body, nullptr, false);
  if (!document.is_object()) return {};
  const auto name = document.find("name");
  return name != document.end() && name->is_string() ? name->get<std::string>() : std::string{};
}

/// What Resend will never accept. A key or a sender that it does not like is the operator's to mend, and worth waiting
/// for. https://resend.com/docs/api-reference/errors
bool is_refusal(const http_response& answer, const std::string& name) {
  const bool is_about_mail = answer.status == 400 || answer.status == 413 || answer.status == 422;
  return is_about_mail && name != "invalid_from_address";
}

/// The key was used for a mail with another text: that one is on its way, and a second must not follow.
bool was_sent_before(const http_response& answer, const std::string& name) {
  return answer.status == 409 && name == "invalid_idempotent_request";
}

done read_answer(const std::string& system, const http_response& answer) {
  if (integrations::is_success(answer)) return {};
  const auto name = error_name(answer);
  if (is_refusal(answer, name)) {
    log::warning(system, "a mail was refused", {{"status", std::to_string(answer.status)}, {"cause", name}});
    fail(ec::refused);
  }
  if (!was_sent_before(answer, name)) fail_status(answer, name);
  log::warning(system, "a mail was sent before, with another text");
  return {};
}

caf::typed_response_promise<done> send(self_pointer self, const send_mail& order) {
  auto promise = self->make_response_promise<done>();
  call(self, "send_mail", send_request(self->state.settings, order), promise,
       [promise, system = self->state.context.pulse->name](const http_response& answer) mutable {
         promise.deliver(read_answer(system, answer));
       });
  return promise;
}

} // namespace

client_actor::behavior_type client(self_pointer self, integrations::client_context context,
                                   config::settings::mail_section settings) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.settings = std::move(settings);
  return {
      on([self](const send_mail& order) { return send(self, order); }),
      [self](integrations::exchange_ended& ended) { self->state.open.finish(ended); },
  };
}

caf::actor spawn_mail(caf::scheduled_actor* parent, integrations::client_context context,
                      config::settings::mail_section settings) {
  if (settings.transport != "smtp")
    return caf::actor_cast<caf::actor>(parent->spawn(client, std::move(context), std::move(settings)));
  auto protection = protection_of(settings.host, settings.port);
  return caf::actor_cast<caf::actor>(parent->spawn(smtp, std::move(context), std::move(settings), protection));
}

} // namespace backstay::mail
