#include "integrations/sandbox/world.hpp"

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

namespace backstay::sandbox {

using namespace std::chrono_literals;

namespace {

constexpr auto longest_hold = 2s;

} // namespace

instant world::now() const {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()) + offset;
}

std::string world::base_url() const {
  const bool is_v6 = given.address.find(':') != std::string::npos;
  return "http://" + (is_v6 ? "[" + given.address + "]" : given.address) + ":" + std::to_string(port);
}

void world::later(std::chrono::milliseconds delay, std::function<void()> then) {
  auto timer = std::make_shared<asio::steady_timer>(context, delay);
  timer->async_wait([timer, then = std::move(then)](const asio::error_code& error) {
    if (!error) then();
  });
}

void world::request(integrations::http_request request, std::function<void(integrations::http_result)> then) {
  client_.send(std::move(request), [this, then = std::move(then)](integrations::http_result result) {
    asio::post(context, [then, result = std::move(result)] { then(result); });
  });
}

void world::send(webhook hook) {
  const auto system = hook.system;
  switch (faulty[system].webhooks) {
  case webhook_mode::drop:
    return;
  case webhook_mode::deliver:
    break;
  case webhook_mode::duplicate:
    start(hook);
    break;
  case webhook_mode::reorder:
    if (!held_.contains(system)) {
      held_.emplace(system, std::move(hook));
      changed();
      return later(longest_hold, [this, system] { release_held(system); });
    }
  }
  start(std::move(hook));
  // The newer one gets a head start: two connections would race.
  if (held_.contains(system)) later(100ms, [this, system] { release_held(system); });
}

void world::release_held(const std::string& system) {
  if (auto held = held_.extract(system)) start(std::move(held.mapped()));
}

void world::start(webhook hook) {
  pending_.push_back(std::move(hook));
  changed();
  attempt(std::prev(pending_.end()));
}

void world::attempt(delivery d) {
  integrations::http_request request{"POST", given.backend + d->path, {}, d->body, 5s};
  request.headers.assign(d->headers.begin(), d->headers.end());
  this->request(std::move(request), [this, d](const integrations::http_result& result) {
    finish(d, result.failure == integrations::transport_failure::none && result.response.status / 100 == 2);
  });
}

void world::finish(delivery d, bool delivered) {
  if (delivered || d->retries == 0) pending_.erase(d);
  else {
    --d->retries;
    later(std::chrono::milliseconds(d->retry_after_ms), [this, d] { attempt(d); });
  }
  changed();
}

json world::save() const {
  auto waiting = pending_;
  for (const auto& [system, hook] : held_) waiting.push_back(hook);
  return {{"offset_seconds", offset.count()}, {"faults", faulty}, {"webhooks", waiting}};
}

void world::load(const json& state) {
  const auto seconds = state.at("offset_seconds").get<std::int64_t>();
  const auto modes = state.at("faults").get<std::map<std::string, faults>>();
  auto hooks = state.at("webhooks").get<std::vector<webhook>>();
  offset = std::chrono::seconds(seconds);
  for (auto& [system, entry] : faulty)
    if (modes.contains(system)) entry = modes.at(system);
  for (auto& hook : hooks) start(std::move(hook));
}

} // namespace backstay::sandbox
