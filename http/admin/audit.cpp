#include "http/admin/family.hpp"
#include "http/kernel/endpoint.hpp"

#include <algorithm>

namespace backstay::http::admin {

namespace {

using audit::recorded;

template <class T>
constexpr auto of_entry(const char* name, T audit::entry::*member, rule limits = {}) {
  return field(
      name, [member](const recorded& r) { return r.entry.*member; }, limits);
}
template <class T>
constexpr auto of_origin(const char* name, T origin::*member, rule limits = {}) {
  return field(
      name, [member](const recorded& r) { return r.entry.origin.*member; }, limits);
}

constexpr shape entry{
    field("id", &recorded::id, example("1234")),
    field("at", &recorded::at),
    of_entry("action", &audit::entry::action, example(R"("auth.login.success")")),
    of_entry("result", &audit::entry::result),
    field(
        "actor", [](const recorded& r) { return r.entry.actor; }, "Who; null: nobody was signed in"),
    field("actor_login", &recorded::actor_login),
    field(
        "subject", [](const recorded& r) { return r.entry.subject; }, "To whom"),
    field("subject_login", &recorded::subject_login),
    of_entry("resource", &audit::entry::resource, example(R"("session:550e8400-e29b-41d4-a716-446655440000")")),
    of_origin("address", &origin::address, example(R"("203.0.113.7")")),
    of_origin("user_agent", &origin::user_agent),
    of_origin("request_id", &origin::request_id),
    field(
        "details", [](const recorded& r) { return json_object{json(r.entry.details).dump()}; },
        "Names and texts; depends on the action"),
};

constexpr shape page{
    field("items", &audit::trail_page::items, entry),
    field("next", &audit::trail_page::next, "Ask for it as `before`; null on the last page"),
};

bool is_action(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '.' || c == '_'; });
}

constexpr rule action{.low = 1,
                      .high = 100,
                      .accepts = is_action,
                      .expectation = "an action such as auth.login.failed, or its beginning up to a dot",
                      .pattern = "^[a-z._]+$"};

constexpr std::tuple endpoints{
    get<audit::list_entries>(
        "/api/v1/admin/audit", permission::manage, bucket::dashboard, "The trail of sensitive acts, newest first",
        answers(200, page), from_query("actor", &audit::list_entries::actor, anything, "Who"),
        from_query("subject", &audit::list_entries::subject, anything, "To whom"),
        from_query("action", &audit::list_entries::action, action, "`auth` finds `auth.login.failed` too"),
        from_query("result", &audit::list_entries::result),
        from_query("since", &audit::list_entries::since, anything, "From this moment on"),
        from_query("until", &audit::list_entries::until, anything, "Before this moment"),
        from_query("before", &audit::list_entries::before, between(1, std::numeric_limits<std::int64_t>::max()),
                   "Older than this entry: `next` of the page before"),
        from_query("limit", &audit::list_entries::limit, between(1, 200))),
};

} // namespace

void add_audit(router& to, const domains& who) { add_endpoints(to, family, "Administration", who.audit, endpoints); }

} // namespace backstay::http::admin
