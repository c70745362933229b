#include "http/admin/family.hpp"
#include "http/kernel/endpoint.hpp"

namespace backstay::http::admin {

namespace {

using accounts::account_details;
using accounts::account_record;

/// A member of the account, as a field of the record.
template <class T>
constexpr auto of_account(const char* name, T sessions::account::*member, rule limits = {}, const char* doc = "") {
  return field(
      name, [member](const account_record& r) { return r.account.*member; }, limits, doc);
}

constexpr shape record{
    of_account("id", &sessions::account::id),
    of_account("number", &sessions::account::number, example("42")),
    of_account("login", &sessions::account::login, example(R"("ada")")),
    of_account("email", &sessions::account::email, example(R"("ada@example.com")")),
    of_account("display_name", &sessions::account::display_name),
    of_account("role", &sessions::account::role),
    of_account("is_active", &sessions::account::is_active, {}, "May sign in: confirmed, neither locked nor deleted"),
    of_account("is_email_verified", &sessions::account::is_email_verified),
    of_account("has_password", &sessions::account::has_password),
    of_account("has_second_factor", &sessions::account::has_second_factor),
    of_account("linked_providers", &sessions::account::linked_providers),
    of_account("locale", &sessions::account::locale),
    field("locked_at", &account_record::locked_at),
    field("lock_reason", &account_record::lock_reason),
    field("deleted_at", &account_record::deleted_at),
    of_account("created_at", &sessions::account::created_at),
    of_account("updated_at", &sessions::account::updated_at),
    of_account("last_login_at", &sessions::account::last_login_at),
};

constexpr shape page{
    field("items", &accounts::record_page::items, record),
    field("total", &accounts::record_page::total),
    field("offset", &accounts::record_page::offset),
    field("limit", &accounts::record_page::limit),
};

constexpr shape session{
    field("id", &accounts::session_record::id),
    field("device_id", &accounts::session_record::device_id),
    field("address", &accounts::session_record::address),
    field("user_agent", &accounts::session_record::user_agent),
    field("created_at", &accounts::session_record::created_at),
    field("last_seen_at", &accounts::session_record::last_seen_at),
    field("expires_at", &accounts::session_record::expires_at),
};

constexpr shape device{
    field("device_id", &accounts::device_record::device_id),
    field("platform", &accounts::device_record::platform),
    field("device_model", &accounts::device_record::device_model),
    field("os_version", &accounts::device_record::os_version),
    field("app_version", &accounts::device_record::app_version),
    field("registered_at", &accounts::device_record::registered_at),
    field("last_active_at", &accounts::device_record::last_active_at),
};

constexpr shape identity{
    field("provider", &accounts::identity_record::provider),   field("subject", &accounts::identity_record::subject),
    field("username", &accounts::identity_record::username),   field("email", &accounts::identity_record::email),
    field("linked_at", &accounts::identity_record::linked_at),
};

constexpr shape second_factor{
    field("enabled_at", &account_details::second_factor_since, "Null: there is none"),
    field("recovery_codes_left", &account_details::recovery_codes_left),
};

constexpr shape guesses{
    field("within_hour", &account_details::guesses, "Wrong passwords and codes"),
    field(
        "rests_for", [](const account_details& d) { return d.guesses_rest.count(); },
        "Seconds until another guess is admitted; 0: at once"),
};

constexpr auto itself = [](const account_details& d) -> const account_details& { return d; };

constexpr shape details{
    field("account", &account_details::record, record),
    field("sessions", &account_details::sessions, session, "Open ones, newest first, at most 100"),
    field("devices", &account_details::devices, device, "Last used first, at most 100"),
    field("identities", &account_details::identities, identity, "Accounts elsewhere that sign in to this one"),
    field("second_factor", itself, second_factor),
    field("guesses", itself, guesses),
};

constexpr shape ended{field("sessions_ended", &accounts::sessions_ended::count)};

constexpr auto too_low = "Your role has not the permission, or (ROLE_TOO_LOW) theirs is not lower than yours";

constexpr std::tuple endpoints{
    get<accounts::list_accounts>(
        "/api/v1/admin/accounts", permission::account_read, bucket::dashboard, "Search the accounts",
        answers(200, page),
        from_query("q", &accounts::list_accounts::text, length(1, 254),
                   "The id or the number, or part of e-mail, login or name in whatever case"),
        from_query("role", &accounts::list_accounts::role), from_query("locked", &accounts::list_accounts::locked),
        from_query("verified", &accounts::list_accounts::verified, anything, "Whether the e-mail is"),
        from_query("deleted", &accounts::list_accounts::deleted),
        from_query("second_factor", &accounts::list_accounts::second_factor),
        from_query("sort", &accounts::list_accounts::order, anything, "A minus means descending"),
        from_query("offset", &accounts::list_accounts::offset, between(0, 1'000'000'000)),
        from_query("limit", &accounts::list_accounts::limit, between(1, 200))),

    get<accounts::get_account_details>("/api/v1/admin/accounts/{id}", permission::account_read, bucket::dashboard,
                                       "An account and how somebody gets in", answers(200, details),
                                       fails(404, "No such account"),
                                       from_path("id", &accounts::get_account_details::account)),

    put<accounts::change_role>(
        "/api/v1/admin/accounts/{id}/role", permission::roles_and_keys, bucket::general, "Give an account another role",
        answers(200, record), fails(404, "No such account"), fails(409, "LAST_SUPER_ADMIN"),
        from_session(&accounts::change_role::caller), from_path("id", &accounts::change_role::account),
        from_json("role", &accounts::change_role::role), from_origin(&accounts::change_role::origin)),

    post<accounts::lock_account>(
        "/api/v1/admin/accounts/{id}/lock", permission::manage, bucket::general,
        "Lock an account, and end its sessions and sockets", answers(200, record, "Locked; again replaces the reason"),
        fails(400, "OWN_ACCOUNT"), fails(403, too_low), fails(404, "No such account"),
        from_session(&accounts::lock_account::caller), from_path("id", &accounts::lock_account::account),
        from_json("reason", &accounts::lock_account::reason, length(1, 500), "For other operators"),
        from_origin(&accounts::lock_account::origin)),

    post<accounts::unlock_account>(
        "/api/v1/admin/accounts/{id}/unlock", permission::manage, bucket::general,
        "Unlock an account, also after too many guesses", answers(200, record), fails(403, too_low),
        fails(404, "No such account"), from_session(&accounts::unlock_account::caller),
        from_path("id", &accounts::unlock_account::account), from_origin(&accounts::unlock_account::origin)),

    del<accounts::end_sessions>("/api/v1/admin/accounts/{id}/sessions", permission::manage, bucket::general,
                                "Sign an account out everywhere", answers(200, ended), fails(403, too_low),
                                fails(404, "No such account"), from_session(&accounts::end_sessions::caller),
                                from_path("id", &accounts::end_sessions::account),
                                from_origin(&accounts::end_sessions::origin)),
};

} // namespace

void add_accounts(router& to, const domains& who) {
  add_endpoints(to, family, "Administration", who.accounts, endpoints);
}

} // namespace backstay::http::admin
