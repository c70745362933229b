#pragma once

#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace backstay::sandbox {

/// Keeps the order of names, so that answers read like the real ones.
using json = nlohmann::ordered_json;

/// Anything may be in a text that came over the network: what is not UTF-8 is replaced.
inline std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

/// One request, taken apart.
struct call {
  std::string method;
  /// As it was sent, below the fake's own path and without the query.
  std::string path;
  /// The values of the `{x}` segments, decoded.
  std::map<std::string, std::string> parameters;
  std::map<std::string, std::string> query;
  /// Names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;

  /// A header's value, or nothing.
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string{} : found->second;
  }
};

/// What a call is answered with.
struct answer {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string content_type = "application/json; charset=utf-8";
  /// The connection is closed instead, and nothing is sent.
  bool silent = false;
};

inline answer reply(const json& body, int status = 200) { return {status, dump(body), {}}; }

inline answer reply_html(std::string body) { return {200, std::move(body), {}, "text/html; charset=utf-8"}; }

/// Thrown where a call cannot go on.
struct refusal : std::exception {
  explicit refusal(answer a) : with(std::move(a)) {}
  const char* what() const noexcept override { return "refused"; }
  answer with;
};

/// Ends a call of the control API.
[[noreturn]] inline void refuse(int status, const std::string& detail) {
  throw refusal(reply({{"detail", detail}}, status));
}

/// Hands an answer back; call it once, on the sandbox's thread.
using respond = std::function<void(answer)>;
using handler = std::function<void(const call&, respond)>;

/// A handler that answers at once.
using prompt_handler = std::function<answer(const call&)>;

/// An input of a control call, for the page: its JSON name (or `?name` in the query), and an example.
struct field {
  std::string name;
  std::string example;
};

class fake;

/// One row of the table that a request is looked up in.
struct route {
  std::string method;
  /// Pattern, such as `/panel/api/users/{id}`; `{x}` takes one segment. Earlier rows win.
  std::string pattern;
  handler handle;
  /// The fake whose API this belongs to: its guard is asked and its faults apply. None for all other routes.
  fake* of = nullptr;
  /// For the page; empty is not shown there.
  std::string summary;
  std::vector<field> fields;
};

/// The table, as the fakes and the control API fill it.
class routes {
public:
  /// A route of the fake's own API, below `/<name>`.
  void api(fake& of, std::string method, const std::string& pattern, prompt_handler handle);

  /// A route for whoever drives the sandbox.
  void control(std::string method, std::string pattern, std::string summary, std::vector<field> fields,
               prompt_handler handle) {
    control(std::move(method), std::move(pattern), std::move(summary), std::move(fields), later(std::move(handle)));
  }
  void control(std::string method, std::string pattern, std::string summary, std::vector<field> fields,
               handler handle) {
    rows.push_back(
        {std::move(method), std::move(pattern), std::move(handle), nullptr, std::move(summary), std::move(fields)});
  }

  /// A route for people's browsers: neither guarded nor faulty nor listed.
  void open(std::string method, std::string pattern, prompt_handler handle) {
    rows.push_back({std::move(method), std::move(pattern), later(std::move(handle)), nullptr, {}, {}});
  }

  std::vector<route> rows;

private:
  static handler later(prompt_handler handle) {
    return [handle = std::move(handle)](const call& c, const respond& then) { then(handle(c)); };
  }
};

/// One outside system. A new one is a file that defines a subclass and its maker, and its line in `fakes.cpp`.
class fake {
public:
  virtual ~fake() = default;
  /// The first segment of its paths, and its name in faults and in the state.
  virtual std::string name() const = 0;
  /// Where its paths begin.
  std::string root() const { return std::string("/").append(name()); }
  virtual void declare(routes& table) = 0;
  /// Called before every call of its API; throws `refusal` for bad credentials.
  virtual void guard(const call& c) const = 0;
  /// The answer to a path or method that its API does not have.
  virtual answer unknown_route(const call& c) const = 0;
  /// The answer to a body that is not JSON.
  virtual answer malformed(const call& c) const = 0;
  virtual json save() const = 0;
  virtual void load(const json& state) = 0;
  /// Called every second and whenever the clock was moved.
  virtual void tick() {}
};

inline void routes::api(fake& of, std::string method, const std::string& pattern, prompt_handler handle) {
  rows.push_back({std::move(method), of.root() + pattern, later(std::move(handle)), &of, {}, {}});
}

struct world;

/// All fakes of this build.
std::vector<std::unique_ptr<fake>> make_fakes(world& w);

} // namespace backstay::sandbox
