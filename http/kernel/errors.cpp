#include "http/kernel/errors.hpp"

namespace backstay::http {

namespace {

struct meaning {
  int status;
  const char* code;
  const char* text;
};

/// The one mapping from our errors to HTTP. 503: not executed, safe to repeat. 504: outcome unknown, repeat with the
/// same Idempotency-Key.
meaning meaning_of(ec code) {
  switch (code) {
  case ec::none:
    break;
  case ec::malformed:
    return {400, "MALFORMED_REQUEST", "The request could not be read."};
  case ec::invalid:
    return {422, "VALIDATION_ERROR", "Some fields are not valid."};
  case ec::refused:
    return {400, "REFUSED", "This is not possible now."};
  case ec::unauthenticated:
    return {401, "UNAUTHENTICATED", "Not authenticated"};
  case ec::forbidden:
    return {403, "FORBIDDEN", "You are not allowed to do this."};
  case ec::not_found:
    return {404, "NOT_FOUND", "Not found"};
  case ec::conflict:
    return {409, "CONFLICT", "This collides with something that exists."};
  case ec::gone:
    return {410, "GONE", "This was used already or has expired."};
  case ec::locked:
    return {423, "LOCKED", "Too many failed attempts."};
  case ec::too_many:
    return {429, "RATE_LIMIT_EXCEEDED", "Too many requests"};
  case ec::too_large:
    return {413, "TOO_LARGE", "The request is too large."};
  case ec::overloaded:
    return {503, "OVERLOADED", "The service is busy; nothing was done. Try again shortly."};
  case ec::restarting:
    return {503, "RESTARTING", "A part of the service is restarting; nothing was done. Try again shortly."};
  case ec::unavailable:
    return {503, "SERVICE_UNAVAILABLE",
            "Something that we depend on is not there; nothing was done. Try again shortly."};
  case ec::timeout:
    return {504, "TIMEOUT", "No answer in time; it may or may not have been done."};
  case ec::in_doubt:
    return {504, "OUTCOME_UNKNOWN", "The connection broke while saving; it may or may not have been done."};
  case ec::upstream:
    return {502, "UPSTREAM_ERROR", "A service that we depend on gave a wrong answer."};
  case ec::internal:
    break;
  }
  return {500, "INTERNAL_ERROR", "Something went wrong on our side."};
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  append_json_string(out, name);
  out += ':';
  append_json_string(out, text);
}

void append_problem(std::string& out, const problem& broken) {
  out += R"({"loc":[)";
  for (bool first = true; auto& step : broken.location) {
    if (!std::exchange(first, false)) out += ',';
    append_json_string(out, step);
  }
  out += "],";
  append_member(out, "msg", broken.message);
  out += ',';
  append_member(out, "type", broken.type);
  out += '}';
}

/// "password: must have at least 8 characters; email: is required", without where in the request they are.
std::string text_of(const std::vector<problem>& problems) {
  std::string text;
  for (auto& broken : problems) {
    if (!text.empty()) text += "; ";
    if (broken.location.size() > 1) text += broken.location.back() + ": ";
    text += broken.message;
  }
  return text;
}

/// What people are told.
std::string text_of(const fault& what, const meaning& standard, const dialect& family) {
  if (!what.message.empty()) return what.message;
  return family.message_member && !what.problems.empty() ? text_of(what.problems) : standard.text;
}

std::string body_of(const fault& what, const meaning& standard, std::string_view request_id, const dialect& family) {
  auto text = text_of(what, standard, family);
  std::string out = "{";
  append_member(out, "detail", text);
  out += R"(,"error":{)";
  append_member(out, "code", what.name.empty() ? std::string_view{standard.code} : what.name);
  out += ',';
  append_member(out, "message", text);
  out += R"(,"details":{)";
  for (bool first = true; auto& [name, literal] : what.details) {
    if (!std::exchange(first, false)) out += ',';
    append_json_string(out, name);
    (out += ':') += literal;
  }
  out += "}}";
  if (!what.problems.empty()) {
    out += R"(,"errors":[)";
    for (bool first = true; auto& broken : what.problems) {
      if (!std::exchange(first, false)) out += ',';
      append_problem(out, broken);
    }
    out += ']';
  }
  out += ',';
  if (family.message_member) {
    append_member(out, "message", text);
    out += ',';
  }
  append_member(out, "request_id", request_id);
  out += '}';
  return out;
}

} // namespace

int status_of(const fault& what) { return meaning_of(what.code).status; }

response render_error(const fault& what, std::string_view request_id, const dialect& family) {
  auto standard = meaning_of(family.locks_with_429 && what.code == ec::locked ? ec::too_many : what.code);
  response answer{.status = standard.status, .body = body_of(what, standard, request_id, family)};
  if (standard.status == 401) answer.headers.emplace_back("WWW-Authenticate", "Bearer");
  auto wait = what.retry_after.count();
  if (wait == 0 && (standard.status == 503 || standard.status == 429)) wait = 1;
  if (wait > 0) answer.headers.emplace_back("Retry-After", std::to_string(wait));
  return answer;
}

response render_refusal(int status, const char* code, const char* text, std::string_view request_id) {
  return {.status = status, .body = body_of({}, {status, code, text}, request_id, {"standard"})};
}

} // namespace backstay::http
