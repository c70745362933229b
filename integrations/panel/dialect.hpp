#pragma once

#include "config/settings.hpp"
#include "integrations/http_client.hpp"
#include "integrations/panel/messages.hpp"

#include <string>
#include <vector>

/// Remnawave's REST API 3.x: what to ask, and how to read the answers. Another version of the panel is another
/// namespace with these functions. Readers end the operation by `ec::upstream` where an answer is not as documented.
/// Source: the OpenAPI document of panel 3.3.2 and its recorded answers (tests/fixtures/panel).
namespace backstay::panel::v3 {

using settings = config::settings::panel_section;
using integrations::http_request;
using integrations::http_response;

/// The ids of internal squads: what a user may connect to.
using squad_list = std::vector<std::string>;

/// Whether the panel could know a user or a subscription by that name: 1–64 of `[a-zA-Z0-9_-]`.
bool is_name(const std::string& name);

http_request list_squads(const settings& where);
squad_list read_squads(const http_response& answer);

http_request create_user(const settings& where, const put_user& wish, const squad_list& squads);
/// Leaves expiry and status alone when the wished expiry is not after `now`, since the panel refuses one in the past.
/// Resets nothing.
http_request update_user(const settings& where, const put_user& wish, const squad_list& squads, timestamp now);
http_request disable_user(const settings& where, const std::string& username);
http_request get_user(const settings& where, const std::string& username);
user read_user(const http_response& answer);

/// The public address of a subscription, without the token; an unknown `User-Agent` and any `Accept` but a browser's
/// get the list of links in Base64.
http_request get_subscription(const settings& where, const std::string& short_uuid);
std::string read_subscription(const http_response& answer);

http_request list_nodes(const settings& where);
std::vector<node> read_nodes(const http_response& answer);

/// A refusal to create a user because there is one of that name.
bool is_name_taken(const http_response& answer);
/// A 404 about a user or a subscription, not about the route: that would be no panel, or another version of it.
bool is_missing(const http_response& answer);

/// Reads a webhook. Its header's time is not signed, so the body's counts.
/// Errors: `unauthenticated`, `malformed`.
webhook_hint read_webhook(const panel::read_webhook& hook, const secret& key, timestamp now);

} // namespace backstay::panel::v3
