#include "http/console/family.hpp"
#include "http/kernel/endpoint.hpp"

namespace backstay::http::console {

namespace {

using accounts::profile;

constexpr std::size_t largest_upload = 2 * 1024 * 1024 + 16 * 1024; // a picture, and what a form wraps around it

template <class T>
constexpr auto of_account(const char* name, T sessions::account::*member) {
  return field(name, [member](const profile& p) { return p.account.*member; });
}

constexpr shape profile_shape{
    field(
        "email", [](const profile& p) { return p.account.email.value_or(""); }, "Empty when there is none"),
    of_account("username", &sessions::account::login),
    of_account("display_name", &sessions::account::display_name),
    field("name", [](const profile& p) { return p.account.display_name.value_or(p.account.login); }),
    of_account("bio", &sessions::account::bio),
    of_account("avatar_url", &sessions::account::avatar_url),
    of_account("avatar", &sessions::account::avatar_url),
    of_account("role", &sessions::account::role),
    field("preferences", &profile::preferences),
    of_account("created_at", &sessions::account::created_at),
    of_account("last_login", &sessions::account::last_login_at),
};

constexpr auto changed =
    extend(profile_shape, field("success", [](const profile&) { return true; }),
           field("message", [](const profile&) { return std::string{"Profile updated successfully"}; }),
           field(
               "user", [](const profile& p) -> const profile& { return p; }, profile_shape));

constexpr shape new_avatar{
    field("success", [](const profile&) { return true; }),
    of_account("avatar_url", &sessions::account::avatar_url),
};

void cache_for_ever(const accounts::avatar&, const exchange&, response& out) {
  out.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable"); // another picture has another name
}

using accounts::change_password;
using accounts::password_changed;
using accounts::update_profile;

constexpr shape password_answer{
    field("success", [](const password_changed&) { return true; }),
    field("message", [](const password_changed&) { return std::string{"Password changed successfully"}; }),
    field("strength", &password_changed::strength),
    field("warnings", &password_changed::warnings, rule{}, "What would make it better"),
};

constexpr std::tuple profiles{
    get<accounts::get_profile>("/api/v1/auth/profile", allow::signed_in, bucket::dashboard, "What I tell about myself",
                               answers(200, profile_shape), from_session(&accounts::get_profile::account)),

    put<update_profile>("/api/v1/auth/profile", allow::signed_in, bucket::general, "Change what I tell about myself",
                        body_up_to(largest_upload), answers(200, changed),
                        fails(400, "Another e-mail address, or a file that is no picture"),
                        fails(413, "Larger than 2 MiB"), from_session(&update_profile::caller),
                        from_json("display_name|name", &update_profile::display_name, length(1, 100)),
                        from_json("bio", &update_profile::bio, length(0, 500)),
                        from_json("email", &update_profile::email, length(0, 254), "The present one, if any"),
                        from_json("preferences", &update_profile::preferences, anything, "Merged member by member"),
                        from_file("avatar", &update_profile::picture, largest_upload, "PNG, JPEG, WebP or GIF")),

    post<update_profile>("/api/v1/auth/profile/avatar", allow::signed_in, bucket::general, "Give myself a picture",
                         body_up_to(largest_upload), answers(200, new_avatar), fails(400, "No picture, or damaged"),
                         fails(413, "Larger than 2 MiB"), from_session(&update_profile::caller),
                         from_file("file", &update_profile::picture, largest_upload, "PNG, JPEG, WebP or GIF"),
                         refined_by(+[](update_profile& m) {
                           if (!m.picture) fail_field("file", "Field required", "missing");
                         })),

    get<accounts::get_avatar>("/avatars/{name}", allow::anyone, bucket::dashboard, "The picture of an account",
                              answers_bytes(200, "image/png", &accounts::avatar::png), fails(404, "None of that name"),
                              from_path("name", &accounts::get_avatar::name, length(1, 64)),
                              decorated_by(cache_for_ever)),

    post<change_password>("/api/v1/auth/change-password", allow::signed_in, bucket::general,
                          "Change my password; all my other sessions end", answers(200, password_answer),
                          fails(400, "WRONG_PASSWORD, NO_PASSWORD or PASSWORD_POLICY"),
                          fails(423, "Too many wrong ones; `Retry-After` says how long"),
                          from_session(&change_password::caller),
                          from_json("current_password", &change_password::current_password, length(1, 1000)),
                          from_json("new_password", &change_password::new_password, length(1, 1000)),
                          from_origin(&change_password::origin)),
};

// ---- the password policy

struct get_password_policy {
  using reply = done;
};

done respond(const get_password_policy&, const exchange&) { return {}; }

template <class Value>
constexpr auto constant(const char* name, Value value) {
  return field(name, [value](const done&) {
    if constexpr (std::is_invocable_v<Value>) return value();
    else return value;
  });
}

using texts = std::vector<std::string>;
constexpr auto itself = [](const done& d) { return d; };

constexpr shape policy{
    constant("minimum_length", 8),
    constant("required_categories", 2),
    constant("categories",
             [] {
               return texts{"Letters (uppercase or lowercase)", "Numbers (0-9)", "Special characters (!@#…)"};
             }),
    field("restrictions", itself,
          shape{constant("maximum_length", 128), constant("forced_expiration", false),
                constant("password_history", false)}),
    constant("other_rules",
             [] {
               return texts{"Not one of the most common passwords", "Without the name in the e-mail address"};
             }),
    field("examples", itself,
          shape{constant("valid",
                         [] {
                           return texts{"correct-horse-battery", "blue7mountain"};
                         }),
                constant("invalid",
                         [] {
                           return texts{"short1!", "lettersonly", "12345678"};
                         })}),
};

constexpr std::tuple policies{
    get<get_password_policy>("/api/v1/auth/password-policy", allow::anyone, bucket::dashboard,
                             "What a new password has to be", answers(200, policy)),
};

} // namespace

void add_profile(router& to, const domains& who) {
  add_endpoints(to, family, "Profile", who.accounts, profiles);
  add_endpoints(to, family, "Profile", answered_here, policies);
}

} // namespace backstay::http::console
