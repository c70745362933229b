#pragma once

#include "integrations/http_client.hpp"
#include "integrations/sandbox/fake.hpp"
#include "integrations/sandbox/faults.hpp"
#include "integrations/sandbox/sandbox.hpp"
#include "integrations/sandbox/values.hpp"

#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <string>

namespace backstay::sandbox {

/// A notification on its way to the back end.
struct webhook {
  /// The fake that sends it: whose faults apply.
  std::string system;
  /// Below the back end's address.
  std::string path;
  std::map<std::string, std::string> headers;
  /// What is signed: it goes out byte for byte.
  std::string body;
  /// How often a delivery that got no 2xx is repeated, and how long after.
  int retries = 0;
  int retry_after_ms = 5000;
};

template <class Json>
void to_json(Json& j, const webhook& h) {
  j = {{"system", h.system}, {"path", h.path},       {"headers", h.headers},
       {"body", h.body},     {"retries", h.retries}, {"retry_after_ms", h.retry_after_ms}};
}

template <class Json>
void from_json(const Json& j, webhook& h) {
  j.at("system").get_to(h.system);
  j.at("path").get_to(h.path);
  j.at("headers").get_to(h.headers);
  j.at("body").get_to(h.body);
  j.at("retries").get_to(h.retries);
  j.at("retry_after_ms").get_to(h.retry_after_ms);
}

/// What the fakes share. Everything runs on the sandbox's one thread.
struct world {
  world(const options& o, asio::io_context& c) : given(o), context(c) {}

  /// The sandbox's time: real time and the offset.
  instant now() const;

  /// Sends a webhook, as the faults of its system allow, until it is answered 2xx or its retries are used up.
  void send(webhook hook);

  /// Runs a function on the sandbox's thread after a real, not a sandbox, duration.
  void later(std::chrono::milliseconds delay, std::function<void()> then);

  /// Sends a request of our own; `then` runs on the sandbox's thread.
  void request(integrations::http_request request, std::function<void(integrations::http_result)> then);

  /// `http://127.0.0.1:8090`
  std::string base_url() const;

  json save() const;
  void load(const json& state);

  const options& given;
  asio::io_context& context;
  std::chrono::seconds offset{0};
  /// By system; one entry a fake.
  std::map<std::string, faults> faulty;
  std::uint16_t port = 0;
  /// Tells that the state is to be written.
  std::function<void()> changed = [] {};

private:
  using delivery = std::list<webhook>::iterator;

  void start(webhook hook);
  void attempt(delivery d);
  void finish(delivery d, bool delivered);
  void release_held(const std::string& system);

  /// Under way, or waiting for the next attempt: part of the state.
  std::list<webhook> pending_;
  /// Held back to go out of order, by system.
  std::map<std::string, webhook> held_;
  integrations::http_client client_;
};

} // namespace backstay::sandbox
