#pragma once

#include "config/secret.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace backstay::config {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// Everything that can be set, with its default. A new setting is one member here and one row in `settings.cpp`;
/// the row's documentation is the member's, so the members carry none.
struct settings {
  std::string environment = "production";

  struct http_section {
    std::string address = "127.0.0.1";
    std::uint16_t port = 8080;
    std::string public_url;
    std::vector<std::string> trusted_proxies;
    std::vector<std::string> cors_origins;
    std::size_t max_connections = 10'000;
    std::size_t max_body = 1'048'576;
    milliseconds idle_timeout = 60s;
    std::size_t compress_above = 1'400;
  } http;

  struct database_section {
    secret url;
    std::size_t connections = 8;
    milliseconds statement_timeout = 2s;
    std::size_t queue = 1'000;
  } database;

  struct data_section {
    std::string directory = "var";
  } data;

  /// `keys` holds raw bytes, newest first, once `load()` is done.
  struct security_section {
    std::vector<secret> keys;
    std::string keys_file;
  } security;

  struct log_section {
    std::string level = "info";
    std::string format = "json";
    std::string requests = "errors";
    std::size_t queue = 4'096;
  } log;

  struct metrics_section {
    secret token;
  } metrics;

  struct sandbox_section {
    bool enabled = false;
    std::uint16_t port = 8090;
    std::uint16_t smtp_port = 0;
  } sandbox;

  struct gate_section {
    std::size_t open_exchanges = 2'000;
  } gate;

  struct timeouts_section {
    milliseconds request = 5s;
    milliseconds domain = 4s;
    milliseconds job = 3s;
  } timeouts;

  struct actors_section {
    std::size_t threads = 0;
    std::size_t hashing_threads = 0;
  } actors;

  struct registration_section {
    bool enabled = true;
  } registration;

  struct sessions_section {
    milliseconds access = 15min;
    milliseconds refresh = 7 * 24h;
    milliseconds refresh_remembered = 30 * 24h;
  } sessions;

  struct links_section {
    milliseconds magic_link = 15min;
    milliseconds password_reset = 1h;
    milliseconds email_verification = 24h;
  } links;

  struct accounts_section {
    milliseconds purge_after = 30 * 24h;
  } accounts;

  struct two_factor_section {
    std::string issuer = "Backstay";
  } two_factor;

  struct limits_section {
    std::size_t guess_per_minute = 5;
    std::size_t guess_per_hour = 10;
    std::size_t login_per_address = 60;
    std::size_t mail_per_minute = 5;
    std::size_t mail_per_hour = 20;
    std::size_t mail_per_address = 60;
    std::size_t refresh_per_session = 30;
    std::size_t payments = 10;
    std::size_t general = 60;
    std::size_t dashboard = 600;
  } limits;

  struct audit_section {
    milliseconds keep = 365 * 24h;
  } audit;

  struct trial_section {
    milliseconds duration = 3 * 24h;
    std::size_t traffic_gb = 5;
    std::size_t devices = 2;
  } trial;

  struct panel_section {
    std::string url;
    secret token;
    secret webhook_secret;
    milliseconds poll = 5s;
    milliseconds cache = 45s;
  } panel;

  /// On what terms money is taken by a payment provider. Each has a section of its own, called like the provider.
  struct payment_terms {
    bool enabled = true;
    std::vector<std::string> currencies;
    std::size_t minimum = 100;
    std::size_t maximum = 100'000'000;
    std::size_t fee = 0;
  };
  struct cryptobot_section : payment_terms {
    std::string url = "https://pay.crypt.bot/api";
    secret token = {};
  } cryptobot{{.currencies = {"USD", "RUB", "EUR"}}};
  struct yookassa_section : payment_terms {
    std::string url = "https://api.yookassa.ru/v3";
    std::string shop_id = {};
    secret secret_key = {};
    std::string receipt_email = {};
    std::vector<std::string> networks = {"185.71.76.0/27",  "185.71.77.0/27",  "77.75.153.0/25", "77.75.154.128/25",
                                         "77.75.156.11/32", "77.75.156.35/32", "2a02:5180::/32"};
  } yookassa{{.currencies = {"RUB"}}};
  struct stars_section : payment_terms {
    std::string url = "https://api.telegram.org";
    std::size_t kopeks = 100;
    std::size_t cents = 2;
    secret webhook_secret = {};
  } stars{{.currencies = {"RUB", "USD"}}};
  struct stripe_section : payment_terms {
    std::string url = "https://api.stripe.com";
    secret secret_key = {};
    std::vector<secret> webhook_secrets = {};
  } stripe{{.currencies = {"USD", "EUR"}}};
  struct lemonsqueezy_section : payment_terms {
    std::string url = "https://api.lemonsqueezy.com";
    secret api_key = {};
    std::string store = {};
    std::string variant = {};
    secret webhook_secret = {};
  } lemonsqueezy{{.currencies = {"USD"}}};
  struct heleket_section : payment_terms {
    std::string url = "https://api.heleket.com/v1";
    std::string merchant = {};
    secret api_key = {};
  } heleket{{.currencies = {"USD", "RUB"}}};
  struct mulenpay_section : payment_terms {
    std::string url = "https://mulenpay.ru/api";
    secret api_key = {};
    std::string shop_id = {};
    secret secret_key = {};
  } mulenpay{{.currencies = {"RUB"}}};
  struct tribute_section : payment_terms {
    std::string donate_url;
    secret api_key = {};
  } tribute{{.currencies = {"RUB", "EUR"}}};

  struct payments_section {
    milliseconds poll = 10s;
    std::string return_url;
  } payments;

  struct subscriptions_section {
    milliseconds grace = 0ms;
    milliseconds jobs = 1min;
  } subscriptions;

  struct referrals_section {
    bool enabled = true;
    std::size_t percent = 25;
    std::string currency = "RUB";
    std::size_t minimum = 10'000;
    std::size_t referred_bonus = 0;
    std::size_t referrer_bonus = 0;
    milliseconds hold = 14 * 24h;
    std::string share_url;
  } referrals;

  struct mail_section {
    std::string transport = "resend";
    std::string from;
    std::string link_base;
    std::string url = "https://api.resend.com";
    secret key;
    std::string host;
    std::uint16_t port = 587;
    std::string user;
    secret password;
  } mail;

  struct oauth_section {
    std::vector<std::string> redirect_uris = {"cybervpn://oauth/callback"};
  } oauth;

  /// Who we are to a provider of sign-ins, and where it is. Each has a section of its own, called like the provider.
  struct provider_section {
    std::string url;
    std::string api_url = {};
    std::string client_id = {};
    secret client_secret = {};
  };
  struct providers_section {
    provider_section github{"https://github.com", "https://api.github.com"};
    provider_section google{"https://accounts.google.com", "https://oauth2.googleapis.com"};
    provider_section discord{"https://discord.com", "https://discord.com/api"};
    provider_section apple{"https://appleid.apple.com"};
    provider_section microsoft{"https://login.microsoftonline.com/common"};
    provider_section twitter{"https://x.com", "https://api.x.com"};
  } providers;

  struct telegram_section {
    std::string url = "https://oauth.telegram.org";
    std::string bot_name;
    secret bot_token;
    secret bot_api_secret;
  } telegram;

  struct outbox_section {
    std::size_t workers = 16;
    milliseconds lease = 60s;
  } outbox;

  /// True where the defaults may be convenient instead of safe.
  bool in_development() const noexcept { return environment == "development"; }
  /// True where nothing may be missing.
  bool in_production() const noexcept { return environment == "production"; }
};

/// Where a setting lives: the alternatives are all the types a setting can have.
using member = std::variant<bool*, std::uint16_t*, std::size_t*, milliseconds*, std::string*, std::vector<std::string>*,
                            secret*, std::vector<secret>*>;

/// What a value must satisfy besides its type.
struct constraint {
  std::int64_t least = 0;              ///< Numbers and durations (in ms): the smallest …
  std::int64_t most = 0;               ///< … and the largest value allowed, both included.
  std::string_view unit;               ///< What a number counts; durations carry their unit in the value.
  std::string_view choices;            ///< Text: the allowed words, separated by `|`.
  std::string_view shape;              ///< Text and each item of a list: what it must look like, in words …
  bool (*fits)(std::string_view) = {}; ///< … and the test for it.
};

/// The declaration of one setting, from which parsing, checking and the documentation are made.
struct declaration {
  std::string_view name;   ///< `section.key`, as in the file and in `--set`.
  member (*of)(settings&); ///< Finds the setting's value.
  constraint must;         ///< What a value must satisfy.
  std::string_view doc;    ///< One line for the reader of the reference.
};

/// Every setting, section by section.
std::span<const declaration> declarations();

/// The name of a setting in the environment: `http.port` is `BACKSTAY_HTTP_PORT`.
std::string environment_name(std::string_view name);

/// True if nobody may see the setting's value.
bool is_secret(const declaration& row);

/// Tells the log which values it must never print: every secret of these settings.
void hide_secrets(const settings& values);

} // namespace backstay::config
