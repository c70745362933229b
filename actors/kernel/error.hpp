#pragma once

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/error.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace backstay {

/// Why an operation did not do what was asked. 0 is reserved by CAF for "no error".
/// `http/kernel/errors.cpp` holds the one mapping to HTTP statuses.
enum class ec : std::uint8_t {
  none = 0,
  malformed,       ///< the request could not be read at all
  invalid,         ///< read, but fields break rules; `fault::problems` names each
  refused,         ///< understood and valid, but the state of things forbids it
  unauthenticated, ///< no or no valid proof of who asks
  forbidden,       ///< known caller without the permission
  not_found,       ///< does not exist, or not for this caller
  conflict,        ///< collides with something that exists
  gone,            ///< existed once and was used up
  locked,          ///< too many wrong guesses; wait
  too_many,        ///< a rate limit
  too_large,       ///< more bytes than the route accepts
  overloaded,      ///< not executed: a queue is full
  restarting,      ///< not executed: whoever should do it is being restarted
  unavailable,     ///< not executed: something we depend on is not there
  timeout,         ///< outcome unknown: no answer in time
  in_doubt,        ///< outcome unknown: the connection broke while committing
  upstream,        ///< an outside system answered with nonsense or a failure
  internal,        ///< a defect of ours
};

std::string to_string(ec code);

/// One broken field of the input.
struct problem {
  std::vector<std::string> location; ///< e.g. {"body", "device", "platform"}
  std::string message;               ///< for people
  std::string type;                  ///< for programs, e.g. "missing", "string_too_short"
  bool operator==(const problem&) const = default;
};

/// An error with all that the caller may know about it. Thrown by rules and stores, carried to the asker
/// inside a `caf::error`. The text is shown to users: no secrets, no internals.
struct fault {
  ec code = ec::internal;
  std::string message;                 ///< empty: the standard text of `code`
  std::string name;                    ///< UPPER_SNAKE for programs; empty: the standard name of `code`
  std::chrono::seconds retry_after{0}; ///< 0: no advice
  std::vector<problem> problems;       ///< only with `ec::invalid`
  std::vector<std::pair<std::string, std::string>> details; ///< more facts; values are JSON literals already
  bool operator==(const fault&) const = default;
};

/// Ends the current operation with `f`; caught where a job or a handler ends.
[[noreturn]] void fail(fault f);
[[noreturn]] void fail(ec code, std::string message = {}, std::string name = {});

/// The field that `message` is about was sent by the caller and breaks a rule of the domain.
[[noreturn]] void fail_field(std::string field, std::string message, std::string type = "value_error");

/// What `fail` throws.
struct fault_error : std::runtime_error {
  explicit fault_error(fault f)
      : std::runtime_error(f.message.empty() ? to_string(f.code) : f.message), what_failed(std::move(f)) {}
  fault what_failed;
};

caf::error to_error(fault f);

/// What an error means to us: ours as it was made, CAF's system errors translated
/// (receiver down → restarting, timeout → timeout, anything else → internal).
fault describe(const caf::error& error);

} // namespace backstay

CAF_ERROR_CODE_ENUM(backstay::ec, "backstay")

namespace caf {
template <>
struct allowed_unsafe_message_type<backstay::fault> : std::true_type {};
} // namespace caf
