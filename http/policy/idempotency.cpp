#include "http/policy/idempotency.hpp"

#include "actors/kernel/crypto.hpp"
#include "http/kernel/services.hpp"

namespace backstay::http {

namespace {

void replay(exchange& x, const idempotency::stored_answer& kept) {
  x.answer({.status = kept.status, .body = kept.body, .headers = {{"Idempotent-Replayed", "true"}}});
}

/// Whether it is kept or not, the client gets the answer; an unkept one ends with its lease, and the repeat finds the
/// effect's row by the claim.
template <class Message>
void tell_and_send(services& context, Message message, response out, exchange::sink send) {
  auto shared = std::make_shared<std::pair<response, exchange::sink>>(std::move(out), std::move(send));
  context.entry.ask_aside(
      context.idempotency_domain, std::move(message), [shared](done&) { shared->second(std::move(shared->first)); },
      [shared](const fault&) { shared->second(std::move(shared->first)); });
}

} // namespace

void claim_idempotency_key(const exchange_ptr& x, std::function<void()> then) {
  auto key = x->in().header("Idempotency-Key");
  if (!x->route->idempotent || key.empty() || !x->session) return then();
  idempotency::claim_key ask{x->session->account.id, x->route->method + " " + x->route->paths.front(), std::string{key},
                             crypto::sha256(x->in().body)};
  auto& context = x->context();
  context.entry.ask_aside(
      context.idempotency_domain, std::move(ask),
      [x, then = std::move(then)](idempotency::claimed& claimed) mutable {
        if (claimed.answer) return replay(*x, *claimed.answer);
        x->context().run_on_http_thread([x, then = std::move(then), claim = claimed.claim] {
          x->claim = claim;
          then();
        });
      },
      [x](const fault& what) { x->fail(what); });
}

void keep_answer(services& context, claim_id claim, response out, exchange::sink send) {
  if (out.status == 429 || out.status >= 500)
    return tell_and_send(context, idempotency::release_key{claim}, std::move(out), std::move(send));
  idempotency::keep_answer keep{claim, {out.status, out.body}};
  tell_and_send(context, std::move(keep), std::move(out), std::move(send));
}

} // namespace backstay::http
