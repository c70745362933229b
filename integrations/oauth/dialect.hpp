#pragma once

#include "actors/kernel/clock.hpp"
#include "config/settings.hpp"
#include "integrations/http_client.hpp"
#include "integrations/json.hpp"
#include "integrations/oauth/messages.hpp"

#include <string>
#include <vector>

/// What each provider's OAuth looks like: requests made and answers read, without a network.
namespace backstay::oauth {

using client = config::settings::provider_section;
using clients = config::settings::providers_section;
using integrations::http_request;
using integrations::http_response;
using integrations::json;

/// Our client in the provider's section. Throws `not_found` named PROVIDER_NOT_AVAILABLE when it has no id or secret.
const client& client_of(const clients& all, provider which);

/// RFC 6749, 4.1.1; with an S256 challenge (RFC 7636) where the provider takes one, and a nonce where it gives identity
/// tokens.
std::string authorize_url(const client& ours, const round_trip& trip, const secret& state);

/// RFC 6749, 4.1.3.
http_request token_request(const client& ours, const round_trip& trip, const secret& code);

/// The provider's answer to that. Throws `refused` when it is the code that is wrong.
json read_tokens(const http_response& answer);

/// How many of the provider's pages must be read to know the person; none where the identity token says all.
std::size_t count_pages(provider which);

/// Reads page `index` with the access token of `tokens`.
http_request page_request(const client& ours, provider which, std::size_t index, const json& tokens);

/// Its content; null for a page that the person did not let us see.
json read_page(provider which, std::size_t index, const http_response& answer);

/// Who it is. An identity token came straight from the provider over TLS, so that its claims are checked and its
/// signature need not be (OpenID Connect Core 1.0, 3.1.3.7). Throws `refused` when it was made for another sign-in.
person read_person(const client& ours, const round_trip& trip, const json& tokens, const std::vector<json>& pages,
                   timestamp now);

} // namespace backstay::oauth
