#pragma once

#include "actors/kernel/caller.hpp"
#include "http/kernel/body.hpp"
#include "http/kernel/exchange.hpp"
#include "http/kernel/route.hpp"
#include "http/kernel/router.hpp"
#include "http/kernel/services.hpp"
#include "http/kernel/shape.hpp"

#include <concepts>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

/// One declaration per endpoint: routing, validation, authentication, limits, idempotency, OpenAPI and the typed
/// message to a domain actor.
///
///     constexpr std::tuple tickets{
///       post<sessions::create_ticket>("/api/v1/ws/ticket", allow::signed_in, bucket::general,
///         "Get a ticket that opens one WebSocket",
///         from_session(&sessions::create_ticket::caller),
///         answers(200, ticket))};
///
/// After method, path, access, bucket and summary come *parts*, in any order: where each member of the message comes
/// from (`from_…`), what the answer looks like (`answers`), and options. What is wrong is refused while compiling: a
/// {placeholder} that nothing reads, a session on a public endpoint, a message that the domain does not handle.
namespace backstay::http {

/// What a message is read from.
struct input {
  const exchange& x;
  const route& declared;
  text_fields query;
  body_content body;

  std::string_view placeholder(std::string_view name) const;
};

namespace part {

enum class source { path, query, header };

/// Text beside the body.
template <class Message, class T>
struct text {
  source from;
  const char* name;
  T Message::*member;
  rule limits;
  const char* doc;
};

/// A member of the JSON object or a field of the form. `name` may list alternatives: "email|login"; the first present
/// counts.
template <class Message, class T, class Detail>
struct body_member {
  const char* name;
  T Message::*member;
  Detail detail;
  const char* doc;
  bool optional; ///< missing leaves the member's default
};

/// A file of a multipart body.
template <class Message, class T>
struct file {
  const char* name;
  T Message::*member;
  std::size_t limit;
  const char* doc;
};

/// Something that the exchange knows: who asks, from where, the claim of the Idempotency-Key, the raw request.
template <class Message, class T>
struct known {
  T Message::*member;
  bool needs_session, is_claim, is_raw_body;
};

/// The session of a browser's cookie.
template <class Message>
struct cookie_session {
  std::optional<session_id> Message::*member;
  const char* unless;
};

/// A member that this endpoint sets itself.
template <class Message, class T, class Value>
struct constant {
  T Message::*member;
  Value value;
};

/// Last touches to a message that was read without complaint.
template <class Message>
struct refinement {
  void (*refine)(Message&);
};

template <class Form>
struct reply {
  int status;
  Form form;
  const char* doc;
};
struct empty_reply {
  int status;
};
template <class Bytes>
struct bytes_reply {
  int status;
  const char* content_type;
  Bytes bytes;
  const char* doc;
};

/// What an answer needs beside its body.
template <class Decorate>
struct decoration {
  Decorate decorate;
};
struct alias {
  const char* path;
};
struct body_limit {
  std::size_t bytes;
};
struct failure {
  int status;
  const char* doc;
};

} // namespace part

template <class Message, class T>
constexpr auto from_path(const char* name, T Message::*member, rule limits = {}, const char* doc = "") {
  return part::text<Message, T>{part::source::path, name, member, limits, doc};
}
template <class Message, class T>
constexpr auto from_query(const char* name, T Message::*member, rule limits = {}, const char* doc = "") {
  return part::text<Message, T>{part::source::query, name, member, limits, doc};
}
template <class Message, class T>
constexpr auto from_header(const char* name, T Message::*member, rule limits = {}, const char* doc = "") {
  return part::text<Message, T>{part::source::header, name, member, limits, doc};
}
template <class Message, class T>
constexpr auto from_json(const char* name, T Message::*member, rule limits = {}, const char* doc = "") {
  return part::body_member<Message, T, rule>{name, member, limits, doc, false};
}
template <class Message, class T, class... Fields>
constexpr auto from_json(const char* name, T Message::*member, shape<Fields...> form, const char* doc = "") {
  return part::body_member<Message, T, shape<Fields...>>{name, member, form, doc, false};
}
/// Missing or null leaves what the message's declaration says.
template <class Message, class T>
constexpr auto from_json_or_default(const char* name, T Message::*member, rule limits = {}, const char* doc = "") {
  return part::body_member<Message, T, rule>{name, member, limits, doc, true};
}
template <class Message, class T, class... Fields>
constexpr auto from_json_or_default(const char* name, T Message::*member, shape<Fields...> form, const char* doc = "") {
  return part::body_member<Message, T, shape<Fields...>>{name, member, form, doc, true};
}
/// An `upload`, or only its bytes; an `std::optional` may be missing. `limit` in bytes.
template <class Message, class T>
requires std::same_as<T, upload> || std::same_as<T, std::string> || std::same_as<T, std::optional<std::string>>
constexpr auto from_file(const char* name, T Message::*member, std::size_t limit, const char* doc = "") {
  return part::file<Message, T>{name, member, limit, doc};
}
/// The session of the cookie (policy/cookies.hpp), unless the body's member `unless` has a text; 403 when a page that
/// is not ours sends it.
template <class Message>
constexpr auto from_cookie(std::optional<session_id> Message::*member, const char* unless) {
  return part::cookie_session<Message>{member, unless};
}
/// `account_id` or `caller`.
template <class Message, class T>
requires std::same_as<T, account_id> || std::same_as<T, caller> || std::same_as<T, session_id>
constexpr auto from_session(T Message::*member) { return part::known<Message, T>{member, true, false, false}; }
/// Who asks, where a session is welcome but not needed (`allow::anyone_better_signed_in`).
template <class Message>
constexpr auto from_session(std::optional<caller> Message::*member) {
  return part::known<Message, std::optional<caller>>{member, false, false, false};
}
template <class Message>
constexpr auto from_origin(origin Message::*member) {
  return part::known<Message, origin>{member, false, false, false};
}
/// The token of `Authorization: Bearer …`, whatever it is; empty without one. For tokens that are no session.
template <class Message>
constexpr auto from_bearer(secret Message::*member) {
  return part::known<Message, secret>{member, false, false, false};
}
/// The claim of an Idempotency-Key, when one was sent; makes the endpoint honour it.
template <class Message>
constexpr auto from_idempotency_key(std::optional<claim_id> Message::*member) {
  return part::known<Message, std::optional<claim_id>>{member, true, true, false};
}
/// The body as it came, for signatures.
template <class Message>
constexpr auto from_raw_body(std::string Message::*member) {
  return part::known<Message, std::string>{member, false, false, true};
}
/// All headers, names in lower case.
template <class Message>
constexpr auto from_headers(std::vector<std::pair<std::string, std::string>> Message::*member) {
  return part::known<Message, std::vector<std::pair<std::string, std::string>>>{member, false, false, false};
}
template <class Message, class T, class Value>
constexpr auto set(T Message::*member, Value value) {
  return part::constant<Message, T, Value>{member, value};
}
template <class Message>
constexpr auto refined_by(void (*refine)(Message&)) {
  return part::refinement<Message>{refine};
}
template <class Form>
constexpr auto answers(int status, Form form, const char* doc = "Done") {
  return part::reply<Form>{status, form, doc};
}
constexpr part::empty_reply answers_nothing(int status) { return {status}; }
/// A file instead of JSON. `bytes`: the member of the reply that holds it.
template <class Bytes>
constexpr auto answers_bytes(int status, const char* content_type, Bytes bytes, const char* doc = "The file") {
  return part::bytes_reply<Bytes>{status, content_type, bytes, doc};
}
/// `decorate(const Message::reply&, const exchange&, response&)` adds headers to the answer, such as cookies.
template <class Decorate>
constexpr auto decorated_by(Decorate decorate) {
  return part::decoration<Decorate>{decorate};
}
constexpr part::alias also(const char* path) { return {path}; }
constexpr part::body_limit body_up_to(std::size_t bytes) { return {bytes}; }
/// Documents an error beyond those that every endpoint may give.
constexpr part::failure fails(int status, const char* doc) { return {status, doc}; }

namespace part {

template <class P>
inline constexpr bool is_reply = false;
template <class Form>
inline constexpr bool is_reply<reply<Form>> = true;
template <>
inline constexpr bool is_reply<empty_reply> = true;
template <class P>
inline constexpr bool is_bytes_reply = false;
template <class Bytes>
inline constexpr bool is_bytes_reply<bytes_reply<Bytes>> = true;
template <class Bytes>
inline constexpr bool is_reply<bytes_reply<Bytes>> = true;

template <class P>
concept reads_text = requires(P p) {
  p.from;
};
template <class P>
concept reads_body = requires(P p) {
  p.detail;
};
template <class P>
concept is_file = requires(P p) {
  p.limit;
};
template <class P>
concept is_known = requires(P p) {
  p.needs_session;
};

} // namespace part

/// A declared endpoint. `Message::reply` is rendered by the one `answers` part.
template <class Message, class... Parts>
struct endpoint {
  using message = Message;
  const char* method;
  const char* path;
  access needs;
  http::bucket bucket;
  const char* summary;
  std::tuple<Parts...> parts;

  template <class F>
  constexpr void for_each(F f) const {
    std::apply([&](const auto&... all) { (f(all), ...); }, parts);
  }
};

namespace detail {

constexpr bool names_placeholder(std::string_view path, std::string_view name) {
  for (std::size_t i = 0; i + name.size() + 2 <= path.size(); ++i)
    if (path[i] == '{' && path.substr(i + 1, name.size()) == name && path[i + 1 + name.size()] == '}') return true;
  return false;
}

constexpr std::size_t count_placeholders(std::string_view path) {
  std::size_t count = 0;
  for (char c : path) count += c == '{';
  return count;
}

template <class P>
constexpr bool reads_placeholder(std::string_view path, const P& p) {
  if constexpr (part::reads_text<P>) return p.from == part::source::path && names_placeholder(path, p.name);
  return false;
}

template <class P>
constexpr bool wants_session(const P& p) {
  if constexpr (part::is_known<P>) return p.needs_session;
  return false;
}

} // namespace detail

template <class Message, class... Parts>
consteval auto declare(const char* method, const char* path, access needs, bucket charged, const char* summary,
                       Parts... parts) {
  static_assert((part::is_reply<Parts> + ... + 0) == 1, "an endpoint says once how it answers");
  std::size_t read = (detail::reads_placeholder(path, parts) + ... + std::size_t{0});
  if (read != detail::count_placeholders(path)) throw "a {placeholder} of the path has no from_path";
  if (!needs.needs_session() && (detail::wants_session(parts) || ...)) throw "from_session on a public endpoint";
  return endpoint<Message, Parts...>{method, path, needs, charged, summary, {parts...}};
}
template <class Message, class... Parts>
consteval auto get(const char* path, access needs, bucket charged, const char* summary, Parts... parts) {
  return declare<Message>("GET", path, needs, charged, summary, parts...);
}
template <class Message, class... Parts>
consteval auto post(const char* path, access needs, bucket charged, const char* summary, Parts... parts) {
  return declare<Message>("POST", path, needs, charged, summary, parts...);
}
template <class Message, class... Parts>
consteval auto put(const char* path, access needs, bucket charged, const char* summary, Parts... parts) {
  return declare<Message>("PUT", path, needs, charged, summary, parts...);
}
template <class Message, class... Parts>
consteval auto patch(const char* path, access needs, bucket charged, const char* summary, Parts... parts) {
  return declare<Message>("PATCH", path, needs, charged, summary, parts...);
}
template <class Message, class... Parts>
consteval auto del(const char* path, access needs, bucket charged, const char* summary, Parts... parts) {
  return declare<Message>("DELETE", path, needs, charged, summary, parts...);
}

// ---- reading a message -----------------------------------------------------------------------------------------

namespace detail {

template <class Message, class T>
void read_part(const part::text<Message, T>& p, const input& in, Message& out, complaints& bad) {
  constexpr const char* places[] = {"path", "query", "header"};
  auto at = complaints{bad}.in(places[static_cast<int>(p.from)]).inside(p.name);
  if (p.from == part::source::path) return read_text(in.placeholder(p.name), out.*p.member, p.limits, at);
  std::optional<std::string_view> found;
  if (p.from == part::source::query) {
    if (auto entry = in.query.find(p.name); entry != in.query.end()) found = entry->second;
  } else if (auto value = in.x.in().header(p.name); !value.empty()) {
    found = value;
  }
  // Missing leaves the default of the message's declaration.
  if (found) read_text(*found, out.*p.member, p.limits, at);
}

/// Calls `found` with the first of the alternatives in "a|b|c" that `has`; the first name is for complaints.
template <class Has>
std::string_view pick_name(std::string_view alternatives, Has has) {
  auto first = alternatives.substr(0, alternatives.find('|'));
  for (auto rest = alternatives; !rest.empty();) {
    auto name = rest.substr(0, rest.find('|'));
    if (has(name)) return name;
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
  }
  return first;
}

template <class Message, class T, class Detail>
void read_part(const part::body_member<Message, T, Detail>& p, const input& in, Message& out, complaints& bad) {
  constexpr bool may_miss = unwrapped<T>::optional;
  if (in.body.form) {
    auto& form = *in.body.form;
    auto name = pick_name(p.name, [&](auto n) { return form.find(n) != form.end(); });
    auto entry = form.find(name);
    if constexpr (!is_shape<Detail> && !unwrapped<T>::list) {
      if (entry != form.end()) return read_text(entry->second, out.*p.member, p.detail, bad.inside(std::string{name}));
    }
    if (!may_miss && !p.optional) bad.inside(std::string{name}).add("Field required", "missing");
    return;
  }
  auto& object = in.body.object;
  auto present = [&](auto n) {
    auto entry = object.find(n);
    return entry != object.end() && !entry->is_null();
  };
  std::string name{pick_name(p.name, present)};
  if (present(name)) return read_json(object[name], out.*p.member, p.detail, bad.inside(name));
  // A change to nothing, which is not the same as no change.
  if constexpr (unwrapped<typename unwrapped<T>::type>::optional)
    if (object.contains(name)) return void((out.*p.member).emplace());
  if (!may_miss && !p.optional) bad.inside(name).add("Field required", "missing");
}

template <class Message, class T>
void read_part(const part::file<Message, T>& p, const input& in, Message& out, complaints& bad) {
  auto entry = in.body.files.find(p.name);
  if (entry == in.body.files.end()) {
    if (!unwrapped<T>::optional) bad.inside(p.name).add("Field required", "missing");
    return;
  }
  if (entry->second.bytes.size() > p.limit) return bad.inside(p.name).add("File is too large", "too_long");
  if constexpr (std::is_same_v<T, upload>) out.*p.member = entry->second;
  else out.*p.member = entry->second.bytes;
}

inline bool has_text(const body_content& body, const char* name) {
  if (body.form) {
    auto entry = body.form->find(name);
    return entry != body.form->end() && !entry->second.empty();
  }
  auto entry = body.object.find(name);
  return entry != body.object.end() && !entry->is_null() && *entry != "";
}

template <class Message>
void read_part(const part::cookie_session<Message>& p, const input& in, Message& out, complaints&) {
  if (!has_text(in.body, p.unless)) out.*p.member = session_of_cookie(in.x);
}

template <class Message, class T>
void read_part(const part::known<Message, T>& p, const input& in, Message& out, complaints&) {
  if constexpr (std::is_same_v<T, caller>) out.*p.member = caller_of(in.x);
  else if constexpr (std::is_same_v<T, std::optional<caller>>) {
    if (in.x.session) out.*p.member = caller_of(in.x);
  } else if constexpr (std::is_same_v<T, account_id>) out.*p.member = in.x.session->account.id;
  else if constexpr (std::is_same_v<T, session_id>) out.*p.member = in.x.session->session;
  else if constexpr (std::is_same_v<T, origin>) out.*p.member = origin_of(in.x);
  else if constexpr (std::is_same_v<T, std::optional<claim_id>>) out.*p.member = in.x.claim;
  else if constexpr (std::is_same_v<T, std::string>) out.*p.member = std::string{in.x.in().body};
  else if constexpr (std::is_same_v<T, secret>) out.*p.member = secret{std::string{in.x.in().bearer()}};
  else
    for (auto& [name, value] : in.x.in().headers) (out.*p.member).emplace_back(to_lower(name), value);
}

template <class Message, class T, class Value>
void read_part(const part::constant<Message, T, Value>& p, const input&, Message& out, complaints&) {
  out.*p.member = p.value;
}

template <class Message, class Other>
void read_part(const Other&, const input&, Message&, complaints&) {}

template <class Message, class... Parts>
Message read_message(const endpoint<Message, Parts...>& declared, const input& in) {
  Message message;
  complaints bad{{"body"}};
  if (!in.body.object.is_object()) bad.add("Input should be an object", "dict_type");
  else declared.for_each([&](const auto& p) { read_part(p, in, message, bad); });
  if (!bad.all().empty()) fail({.code = ec::invalid, .problems = std::move(bad.all())});
  declared.for_each([&](const auto& p) {
    if constexpr (requires { p.refine; }) p.refine(message);
  });
  return message;
}

// ---- answering -------------------------------------------------------------------------------------------------

inline rendering rendering_of(const exchange& x) { return {x.context().tokens, x.context().public_url}; }

template <class E, class Reply>
void send_reply(const E& declared, exchange& x, const Reply& reply) {
  response out;
  declared.for_each([&]<class Part>(const Part& p) {
    if constexpr (std::is_same_v<Part, part::empty_reply>) out = {.status = p.status, .content_type = {}};
    else if constexpr (part::is_bytes_reply<Part>)
      out = {.status = p.status, .content_type = p.content_type, .body = std::invoke(p.bytes, reply)};
    else if constexpr (part::is_reply<Part>)
      out = {.status = p.status, .body = to_json_text(reply, p.form, rendering_of(x))};
  });
  declared.for_each([&](const auto& p) {
    if constexpr (requires { p.decorate; }) p.decorate(reply, x, out);
  });
  x.answer(std::move(out));
}

/// An endpoint that needs no actor: `respond` finds the reply in what the exchange has at hand.
struct answered_here {};

template <class Message, class... Parts>
Message read_request(const endpoint<Message, Parts...>& declared, exchange& x) {
  // Webhooks verify raw bytes; their body is not ours to parse here.
  constexpr bool wants_fields = ((part::reads_body<Parts> || part::is_file<Parts>) || ...);
  input in{x, *x.route, read_form(x.in().query), {}};
  in.body = wants_fields ? read_body(x.in()) : body_content{.object = json::object()};
  return read_message(declared, in);
}

template <class Message, class... Parts>
std::function<void(const exchange_ptr&)> handler_of(const endpoint<Message, Parts...>& declared, const answered_here&) {
  return [&declared](const exchange_ptr& x) { send_reply(declared, *x, respond(read_request(declared, *x), *x)); };
}

template <class Message, class... Parts, class Domain>
std::function<void(const exchange_ptr&)> handler_of(const endpoint<Message, Parts...>& declared, const Domain& domain) {
  static_assert(handles<Domain, Message>, "the domain does not handle the endpoint's message");
  using reply = typename Message::reply;
  return [&declared, domain = caf::actor_cast<caf::actor>(domain)](const exchange_ptr& x) {
    x->context().entry.template ask_for<reply>(
        x, domain, caf::make_message(read_request(declared, *x)),
        [&declared](exchange& answered, reply& what) { send_reply(declared, answered, what); });
  };
}

} // namespace detail

inline constexpr detail::answered_here answered_here;

// ---- registering -----------------------------------------------------------------------------------------------

/// Gathers what OpenAPI calls an operation.
class operation_description {
public:
  void add_parameter(part::source from, const char* name, json schema, const char* doc);
  /// `names`: alternatives, as in "email|login".
  void add_field(std::string_view names, const json& schema, const char* doc, bool may_miss);
  void add_file(const char* name, const char* doc, bool may_miss);
  /// `content` is empty where nothing is answered but the status.
  void add_reply(int status, const char* doc, json content = {});

  json finish(const route& declared) &&;

private:
  json parameters_ = json::array(), fields_ = json::object(), required_ = json::array(), replies_ = json::object();
};

namespace detail {

template <class Message, class P>
void describe_part(const P& p, operation_description& to) {
  if constexpr (part::reads_text<P>) {
    using value = std::remove_cvref_t<decltype(std::declval<Message&>().*p.member)>;
    to.add_parameter(p.from, p.name, schema_of_value<value>(p.limits), p.doc);
  } else if constexpr (part::reads_body<P>) {
    using value = std::remove_cvref_t<decltype(std::declval<Message&>().*p.member)>;
    to.add_field(p.name, schema_of_value<value>(p.detail), p.doc, unwrapped<value>::optional || p.optional);
  } else if constexpr (part::is_file<P>) {
    using value = std::remove_cvref_t<decltype(std::declval<Message&>().*p.member)>;
    to.add_file(p.name, p.doc, unwrapped<value>::optional);
  } else if constexpr (part::is_bytes_reply<P>) {
    to.add_reply(p.status, p.doc, {{p.content_type, json::object()}});
  } else if constexpr (std::is_same_v<P, part::empty_reply>) {
    to.add_reply(p.status, "Done, nothing to say");
  } else if constexpr (part::is_reply<P>) {
    to.add_reply(p.status, p.doc, {{"application/json", {{"schema", schema_of<typename Message::reply>(p.form)}}}});
  } else if constexpr (std::is_same_v<P, part::failure>) {
    to.add_reply(p.status, p.doc);
  }
}

template <class Message, class... Parts>
json describe(const endpoint<Message, Parts...>& declared, const route& made) {
  operation_description operation;
  declared.for_each([&](const auto& p) { describe_part<Message>(p, operation); });
  return std::move(operation).finish(made);
}

template <class Message, class Domain, class... Parts>
route make_route(const endpoint<Message, Parts...>& declared, const Domain& domain, const dialect& family,
                 const char* tag) {
  route made{.method = declared.method,
             .paths = {declared.path},
             .needs = declared.needs,
             .bucket = declared.bucket,
             .tag = tag,
             .summary = declared.summary,
             .family = &family};
  declared.for_each([&]<class P>(const P& p) {
    if constexpr (std::is_same_v<P, part::alias>) made.paths.push_back(p.path);
    if constexpr (std::is_same_v<P, part::body_limit>) made.body_limit = p.bytes;
    if constexpr (part::is_known<P>) made.idempotent |= p.is_claim;
  });
  made.handle = handler_of(declared, domain);
  made.describe = [&declared, made] { return describe(declared, made); };
  return made;
}

} // namespace detail

/// Adds a table of endpoints whose messages `domain` handles. The table must live as long as the router (constexpr).
template <class Domain, class... Endpoints>
void add_endpoints(router& to, const dialect& family, const char* tag, const Domain& domain,
                   const std::tuple<Endpoints...>& table) {
  std::apply([&](const auto&... each) { (to.add(detail::make_route(each, domain, family, tag)), ...); }, table);
}

} // namespace backstay::http
