#pragma once

#include <string_view>

/// What the text of a setting may look like. None of these looks anything up.
namespace backstay::config {

/// An IPv4 or IPv6 address without brackets.
bool is_address(std::string_view text);

/// An address, or a network in CIDR notation (RFC 4632).
bool is_network(std::string_view text);

/// `http(s)://host[:port][/path]` without user, query or fragment.
bool is_url(std::string_view text);

/// The same, or nothing.
bool is_url_or_empty(std::string_view text);

/// A host name, or an IPv4 or IPv6 address without brackets, or nothing.
bool is_host_or_empty(std::string_view text);

/// `scheme://host[:port]` as a browser sends it (RFC 6454): lower case, no path, no wildcard.
bool is_origin(std::string_view text);

/// A libpq URI or list of `key=value` pairs, or nothing.
bool is_database_url(std::string_view text);

/// Something that can name a file.
bool is_path(std::string_view text);

/// A signing key in base64url or hex; see `config/keys.hpp`.
bool is_key(std::string_view text);

/// Where OAuth may lead back to: an absolute URI of visible ASCII without a fragment (RFC 6749, 3.1.2); an app's own
/// scheme is welcome, one that a browser would run is not.
bool is_redirect_uri(std::string_view text);

/// `<number>:<secret>` as Telegram gives it to a bot's owner, or nothing.
bool is_bot_token(std::string_view text);

/// What can stand in a header after "Bearer ": visible ASCII without spaces, or nothing.
bool is_token(std::string_view text);

/// `name@host` or `Name <name@host>`, or nothing.
bool is_mailbox(std::string_view text);

/// Three upper-case letters, as ISO 4217 names currencies.
bool is_currency(std::string_view text);

/// 1 to 64 bytes without a colon, which separates the issuer from the account in authenticator apps' key URIs.
bool is_issuer(std::string_view text);

} // namespace backstay::config
