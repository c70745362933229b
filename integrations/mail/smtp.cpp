#include "integrations/mail/smtp.hpp"

#include "config/log.hpp"
#include "config/shapes.hpp"
#include "integrations/mail/mime.hpp"

#include <functional>

namespace backstay::mail {

namespace {

using self_pointer = smtp_actor::stateful_pointer<smtp_state>;

constexpr long patience_ms = 20'000; ///< less than half of the outbox' lease

std::size_t read_message(char* target, std::size_t size, std::size_t count, void* state);

/// One mail on its way.
struct conversation : integrations::transfer {
  const char* prepare() override {
    auto* handle = easy.get();
    recipients.reset(curl_slist_append(nullptr, to.c_str()));
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(handle, CURLOPT_USE_SSL,
                     static_cast<long>(protection == protection::none ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    if (!user.empty()) {
      curl_easy_setopt(handle, CURLOPT_USERNAME, user.c_str());
      curl_easy_setopt(handle, CURLOPT_PASSWORD, password.reveal().c_str());
    }
    curl_easy_setopt(handle, CURLOPT_MAIL_FROM, from.c_str());
    curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, recipients.get());
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, read_message);
    curl_easy_setopt(handle, CURLOPT_READDATA, this);
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, patience_ms);
    return nullptr;
  }
  void finish(CURLcode how) override {
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    then(how, static_cast<int>(status));
  }
  void give_up(bool, const char*) override { then(CURLE_ABORTED_BY_CALLBACK, 0); }

  std::string url, user, from, to;
  secret password, message;
  mail::protection protection = protection::starttls;
  std::size_t sent = 0;
  std::function<void(CURLcode, int)> then;
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> recipients{nullptr, curl_slist_free_all};
};

std::size_t read_message(char* target, std::size_t size, std::size_t count, void* state) {
  auto& x = *static_cast<conversation*>(state);
  auto taken = x.message.reveal().copy(target, size * count, x.sent);
  x.sent += taken;
  return taken;
}

/// The path is what we call ourselves in EHLO: the sender's domain.
std::string url_of(const config::settings::mail_section& settings, protection by, const std::string& from) {
  bool is_ipv6 = settings.host.find(':') != std::string::npos;
  return (by == protection::implicit ? "smtps://" : "smtp://") + (is_ipv6 ? "[" + settings.host + "]" : settings.host) +
         ":" + std::to_string(settings.port) + "/" + from.substr(from.find('@') + 1);
}

caf::typed_response_promise<done> send(self_pointer self, const send_mail& order) {
  auto& state = self->state;
  if (state.settings.from.empty()) fail(ec::unavailable); // as without a key: waits until somebody configures it
  auto x = std::make_unique<conversation>();
  x->message = compose(state.settings.from, order, state.context.clock->now());
  x->from = address_of(state.settings.from);
  x->to = order.to;
  x->url = url_of(state.settings, state.protection, x->from);
  x->user = state.settings.user;
  x->password = state.settings.password;
  x->protection = state.protection;
  auto number = ++state.last;
  x->then = [owner = caf::weak_actor_ptr{self->ctrl()}, number](CURLcode how, int status) {
    if (auto alive = caf::actor_cast<caf::strong_actor_ptr>(owner))
      caf::anon_send(caf::actor_cast<caf::actor>(alive), conversation_ended{number, how, status});
  };
  auto promise = self->make_response_promise<done>();
  state.open.emplace(number, promise);
  state.transfers->begin(std::move(x));
  return promise;
}

void finish(self_pointer self, const conversation_ended& ended) {
  auto found = self->state.open.extract(ended.number);
  if (!found) return;
  auto meaning = meaning_of(ended.how, ended.status);
  if (meaning == ec::none) return void(found.mapped().deliver(done{}));
  log::warning(self->state.context.pulse->name, meaning == ec::refused ? "a mail was refused" : "a mail was not sent",
               {{"cause", curl_easy_strerror(ended.how)}, {"status", std::to_string(ended.status)}});
  found.mapped().deliver(to_error({.code = meaning}));
}

} // namespace

protection protection_of(std::string_view host, std::uint16_t port) {
  if (port == 465) return protection::implicit;
  bool is_loopback = host == "localhost" || host == "::1" || (host.starts_with("127.") && config::is_address(host));
  return is_loopback ? protection::none : protection::starttls;
}

ec meaning_of(CURLcode how, int status) {
  switch (how) {
  case CURLE_OK:
    return ec::none;
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_CONNECT:
  case CURLE_USE_SSL_FAILED:
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_PEER_FAILED_VERIFICATION:
    return ec::unavailable;
  case CURLE_OPERATION_TIMEDOUT:
  case CURLE_ABORTED_BY_CALLBACK:
    return ec::timeout;
  case CURLE_LOGIN_DENIED:
    return ec::upstream; // the operator's to mend, and worth waiting for
  default:
    return status >= 550 && status <= 554 ? ec::refused : ec::upstream;
  }
}

smtp_actor::behavior_type smtp(self_pointer self, integrations::client_context context,
                               config::settings::mail_section settings, mail::protection protection) {
  auto on = handlers(self, context.pulse);
  self->state.context = std::move(context);
  self->state.settings = std::move(settings);
  self->state.protection = protection;
  self->state.transfers = std::make_unique<integrations::transfers>();
  return {
      on([self](const send_mail& order) { return send(self, order); }),
      [self](const conversation_ended& ended) { finish(self, ended); },
  };
}

} // namespace backstay::mail
