#include "actors/kernel/error.hpp"

#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>

namespace backstay {

std::string to_string(ec code) {
  switch (code) {
  case ec::none:
    return "none";
  case ec::malformed:
    return "malformed";
  case ec::invalid:
    return "invalid";
  case ec::refused:
    return "refused";
  case ec::unauthenticated:
    return "unauthenticated";
  case ec::forbidden:
    return "forbidden";
  case ec::not_found:
    return "not_found";
  case ec::conflict:
    return "conflict";
  case ec::gone:
    return "gone";
  case ec::locked:
    return "locked";
  case ec::too_many:
    return "too_many";
  case ec::too_large:
    return "too_large";
  case ec::overloaded:
    return "overloaded";
  case ec::restarting:
    return "restarting";
  case ec::unavailable:
    return "unavailable";
  case ec::timeout:
    return "timeout";
  case ec::in_doubt:
    return "in_doubt";
  case ec::upstream:
    return "upstream";
  case ec::internal:
    return "internal";
  }
  return "internal";
}

void fail(fault f) { throw fault_error{std::move(f)}; }

void fail(ec code, std::string message, std::string name) {
  fail(fault{.code = code, .message = std::move(message), .name = std::move(name)});
}

void fail_field(std::string field, std::string message, std::string type) {
  fault f{.code = ec::invalid};
  f.problems.push_back({{"body", std::move(field)}, std::move(message), std::move(type)});
  fail(std::move(f));
}

caf::error to_error(fault f) {
  auto code = f.code;
  return caf::make_error(code, std::move(f));
}

namespace {

ec translate(caf::sec code) {
  switch (code) {
  case caf::sec::request_receiver_down:
    return ec::restarting;
  case caf::sec::request_timeout:
    return ec::timeout;
  default:
    return ec::internal;
  }
}

} // namespace

fault describe(const caf::error& error) {
  if (error.category() == caf::atom("backstay")) {
    if (error.context().match_elements<fault>()) return error.context().get_as<fault>(0);
    return {.code = static_cast<ec>(error.code())};
  }
  // A receiver that ends bounces what waits in its mailbox with `request_receiver_down`, or, when it was told
  // to exit, with its exit reason; in both cases the message was never looked at.
  if (error.category() == caf::atom("exit")) return {.code = ec::restarting};
  if (error.category() == caf::atom("system")) return {.code = translate(static_cast<caf::sec>(error.code()))};
  return {.code = ec::internal};
}

} // namespace backstay
