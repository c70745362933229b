#pragma once

#include "config/settings.hpp"
#include "integrations/http_client.hpp"
#include "integrations/panel/messages.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Remnawave's REST API: what to ask, and how to read the answers. Readers end the operation by `ec::upstream` where an
/// answer is not as documented.
/// Source: the OpenAPI document of panel 3.3.2 and its recorded answers (tests/fixtures/panel); of 2.x what was seen
/// beside it at 2.8.1.
namespace backstay::panel::api {

using settings = config::settings::panel_section;
using integrations::http_request;
using integrations::http_response;

/// All that differs between the panel's versions in the calls that are made here.
struct dialect {
  const char* name;
  const char* user_key; ///< the member of a user that paths name it by
  bool is_key_number;
};
inline constexpr dialect dialects[]{{"2.x", "uuid", false}, {"3.x", "id", true}};

/// The ids of internal squads: what a user may connect to.
using squad_list = std::vector<std::string>;

/// Whether the panel could know a user or a subscription by that name: 1–64 of `[a-zA-Z0-9_-]`.
bool is_name(const std::string& name);

http_request get_metadata(const settings& where);
/// Of the version that the panel says it is. A version after 3.x is taken for 3.x until somebody has seen it.
const dialect& read_dialect(const http_response& answer);

http_request list_squads(const settings& where);
squad_list read_squads(const http_response& answer);

http_request create_user(const settings& where, const put_user& wish, const squad_list& squads);
http_request update_user(const settings& where, const put_user& wish, const squad_list& squads);
http_request disable_user(const settings& where, const std::string& username);
http_request reset_traffic(const settings& where, const user& whose);
http_request get_user(const settings& where, const std::string& username);
user read_user(const http_response& answer, const dialect& spoken);
/// Whether an update would change nothing. Status is not looked at.
bool is_as_wished(const user& found, const put_user& wish, const squad_list& squads);

http_request list_devices(const settings& where, const user& whose);
int read_device_count(const http_response& answer);

/// The public address of a subscription, without the token; an unknown `User-Agent` and any `Accept` but a browser's
/// get the list of links in Base64.
http_request get_subscription(const settings& where, const std::string& short_uuid);
std::string read_subscription(const http_response& answer);

http_request list_nodes(const settings& where);
std::vector<node> read_nodes(const http_response& answer);

http_request list_templates(const settings& where);
/// The panel lists them without their content.
std::vector<subscription_template> read_templates(const http_response& answer);
http_request get_template(const settings& where, const std::string& id);
http_request add_template(const settings& where, const create_template& wish);
http_request fill_template(const settings& where, const std::string& id, const create_template& wish);
subscription_template read_template(const http_response& answer);

/// A refusal to create a user or a template because there is one of that name.
bool is_name_taken(const http_response& answer);
/// A 404 about a user or a subscription, not about the route: that would be no panel, or another version of it.
bool is_missing(const http_response& answer);

/// Reads a webhook. Its header's time is not signed, so the body's counts.
/// Errors: `unauthenticated`, `malformed`.
webhook_hint read_webhook(const panel::read_webhook& hook, const secret& key, timestamp now);

} // namespace backstay::panel::api
