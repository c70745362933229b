#include "config/settings.hpp"

#include "config/keys.hpp"
#include "config/log.hpp"
#include "config/shapes.hpp"

#include <algorithm>
#include <array>

namespace backstay::config {

namespace {

constexpr std::int64_t many = 1'000'000'000;

constexpr constraint between(std::int64_t least, std::int64_t most, std::string_view unit = {}) {
  return {.least = least, .most = most, .unit = unit};
}

constexpr constraint between(milliseconds least, milliseconds most) {
  return {.least = least.count(), .most = most.count()};
}

constexpr constraint one_of(std::string_view choices) { return {.choices = choices}; }

constexpr constraint shaped(std::string_view words, bool (*fits)(std::string_view)) {
  return {.shape = words, .fits = fits};
}

constexpr constraint anything{};
constexpr constraint token = shaped("visible ASCII without spaces, or empty", is_token);
constexpr constraint url = shaped("an http:// or https:// URL", is_url);
constexpr constraint url_or_nothing = shaped("an http:// or https:// URL, or empty", is_url_or_empty);

constexpr std::array table{
    declaration{"environment", [](settings& s) -> member { return &s.environment; },
                one_of("production|development|test"),
                "What this process is for. Production refuses what is only convenient; --sandbox implies development."},

    declaration{"http.address", [](settings& s) -> member { return &s.http.address; },
                shaped("an IPv4 or IPv6 address", is_address), "The address to listen on."},
    declaration{"http.port", [](settings& s) -> member { return &s.http.port; }, between(0, 65'535),
                "The port to listen on; 0 lets the system choose."},
    declaration{"http.public_url", [](settings& s) -> member { return &s.http.public_url; }, url_or_nothing,
                "Where clients reach this server, for the API document; empty: wherever they read the document."},
    declaration{"http.trusted_proxies", [](settings& s) -> member { return &s.http.trusted_proxies; },
                shaped("addresses or networks such as 10.0.0.0/8", is_network),
                "The proxies whose X-Forwarded-For and X-User-* headers are believed."},
    declaration{"http.cors_origins", [](settings& s) -> member { return &s.http.cors_origins; },
                shaped("origins such as https://app.example.com", is_origin),
                "The web origins that may call the API from a browser; none by default."},
    declaration{"http.max_connections", [](settings& s) -> member { return &s.http.max_connections; },
                between(1, 1'000'000, "connections"),
                "Open connections at a time; keep it below the limit of open files."},
    declaration{"http.max_body", [](settings& s) -> member { return &s.http.max_body; },
                between(1'024, 1'073'741'824, "bytes"),
                "The largest request body of any endpoint; most endpoints allow less."},
    declaration{"http.idle_timeout", [](settings& s) -> member { return &s.http.idle_timeout; }, between(1s, 1h),
                "How long a connection may wait for its next request."},
    declaration{"http.compress_above", [](settings& s) -> member { return &s.http.compress_above; },
                between(0, 1'073'741'824, "bytes"), "Answers larger than this are compressed for clients that ask."},

    declaration{"database.url", [](settings& s) -> member { return &s.database.url; },
                shaped("postgresql://… or key=value pairs, or empty", is_database_url),
                "The PostgreSQL database (DATABASE_URL also works); empty: a private cluster in the data directory."},
    declaration{"database.connections", [](settings& s) -> member { return &s.database.connections; }, between(1, 64),
                "Connections to the database, each with a worker of its own."},
    declaration{"database.statement_timeout", [](settings& s) -> member { return &s.database.statement_timeout; },
                between(10ms, 10min), "How long one SQL statement may run; less than timeouts.job."},
    declaration{"database.queue", [](settings& s) -> member { return &s.database.queue; },
                between(1, 1'000'000, "jobs"), "Jobs that may wait for a connection; more are refused with 503."},

    declaration{"data.directory", [](settings& s) -> member { return &s.data.directory; }, shaped("a path", is_path),
                "Where the private cluster and the development keys are kept."},

    declaration{"security.keys", [](settings& s) -> member { return &s.security.keys; },
                shaped("at least 32 bytes each, in base64url or hex", is_key),
                "The keys that sign tokens, newest first; older ones still verify. Required in production."},
    declaration{"security.keys_file", [](settings& s) -> member { return &s.security.keys_file; }, anything,
                "A file with one key a line, newest first, instead of security.keys."},

    declaration{"log.level", [](settings& s) -> member { return &s.log.level; }, one_of("debug|info|warning|error"),
                "The least important lines to write."},
    declaration{"log.format", [](settings& s) -> member { return &s.log.format; }, one_of("json|text"),
                "JSON for machines, text for a terminal."},
    declaration{"log.requests", [](settings& s) -> member { return &s.log.requests; }, one_of("errors|all|none"),
                "Which requests get a line: those answered with 5xx, all, or none."},
    declaration{"log.queue", [](settings& s) -> member { return &s.log.queue; }, between(16, 1'000'000, "lines"),
                "Lines that may wait to be written; beyond that the oldest are dropped and counted."},

    declaration{"metrics.token", [](settings& s) -> member { return &s.metrics.token; }, token,
                "The bearer token for /metrics and the details of /health; empty: operators only, and loopback in "
                "development."},

    declaration{"sandbox.enabled", [](settings& s) -> member { return &s.sandbox.enabled; }, anything,
                "Run against fakes of every outside system, as --sandbox does. Never in production."},
    declaration{"sandbox.port", [](settings& s) -> member { return &s.sandbox.port; }, between(0, 65'535),
                "The sandbox's port on loopback; 0 lets the system choose."},
    declaration{"sandbox.smtp_port", [](settings& s) -> member { return &s.sandbox.smtp_port; }, between(0, 65'535),
                "The port on loopback where the sandbox takes mail by SMTP; 0: nowhere."},

    declaration{"gate.open_exchanges", [](settings& s) -> member { return &s.gate.open_exchanges; },
                between(1, 1'000'000, "requests"), "Requests in work at a time; more are refused with 503."},

    declaration{"timeouts.request", [](settings& s) -> member { return &s.timeouts.request; }, between(20ms, 10min),
                "When an unanswered request is answered with 504."},
    declaration{"timeouts.domain", [](settings& s) -> member { return &s.timeouts.domain; }, between(20ms, 10min),
                "How long a domain may work for one request; less than timeouts.request."},
    declaration{"timeouts.job", [](settings& s) -> member { return &s.timeouts.job; }, between(20ms, 10min),
                "How long a database job may take with its waiting; less than timeouts.domain."},

    declaration{"actors.threads", [](settings& s) -> member { return &s.actors.threads; }, between(0, 256),
                "Threads of the actor scheduler; 0: one less than there are cores, at least one."},
    declaration{"actors.hashing_threads", [](settings& s) -> member { return &s.actors.hashing_threads; },
                between(0, 64), "Threads that hash passwords; 0: half the cores, at least one."},

    declaration{"registration.enabled", [](settings& s) -> member { return &s.registration.enabled; }, anything,
                "Whether strangers may create accounts."},

    declaration{"sessions.access", [](settings& s) -> member { return &s.sessions.access; }, between(1min, 24h),
                "How long an access token is valid."},
    declaration{"sessions.refresh", [](settings& s) -> member { return &s.sessions.refresh; }, between(1h, 365 * 24h),
                "How long a session lives without a refresh."},
    declaration{"sessions.refresh_remembered", [](settings& s) -> member { return &s.sessions.refresh_remembered; },
                between(1h, 365 * 24h), "The same for a sign-in with remember_me."},

    declaration{"links.magic_link", [](settings& s) -> member { return &s.links.magic_link; }, between(1min, 24h),
                "How long a mailed link signs in."},
    declaration{"links.password_reset", [](settings& s) -> member { return &s.links.password_reset; },
                between(5min, 24h), "How long a mailed link sets a new password; the code beside it lives 3 hours."},
    declaration{"links.email_verification", [](settings& s) -> member { return &s.links.email_verification; },
                between(5min, 30 * 24h), "How long a mailed link confirms an address."},

    declaration{"accounts.purge_after", [](settings& s) -> member { return &s.accounts.purge_after; },
                between(1h, 365 * 24h), "How long after its deletion what is personal of an account is removed."},

    declaration{"two_factor.issuer", [](settings& s) -> member { return &s.two_factor.issuer; },
                shaped("1 to 64 characters without a colon", is_issuer),
                "The name under which authenticator apps list this service."},

    declaration{"limits.guess_per_minute", [](settings& s) -> member { return &s.limits.guess_per_minute; },
                between(1, many, "a minute"), "Wrong passwords and codes an account before it is locked for 30 s."},
    declaration{"limits.guess_per_hour", [](settings& s) -> member { return &s.limits.guess_per_hour; },
                between(1, many, "an hour"), "Wrong passwords and codes an account before the hour is over for it."},
    declaration{"limits.login_per_address", [](settings& s) -> member { return &s.limits.login_per_address; },
                between(1, many, "a minute"), "Sign-in attempts an address (IPv6: a /64)."},
    declaration{"limits.mail_per_minute", [](settings& s) -> member { return &s.limits.mail_per_minute; },
                between(1, many, "a minute"), "Requests that send mail to one e-mail address."},
    declaration{"limits.mail_per_hour", [](settings& s) -> member { return &s.limits.mail_per_hour; },
                between(1, many, "an hour"), "Requests that send mail to one e-mail address."},
    declaration{"limits.mail_per_address", [](settings& s) -> member { return &s.limits.mail_per_address; },
                between(1, many, "a minute"), "Requests that send mail, from one network address."},
    declaration{"limits.refresh_per_session", [](settings& s) -> member { return &s.limits.refresh_per_session; },
                between(1, many, "a minute"), "Token refreshes a session."},
    declaration{"limits.payments", [](settings& s) -> member { return &s.limits.payments; },
                between(1, many, "a minute"), "New payments an account."},
    declaration{"limits.general", [](settings& s) -> member { return &s.limits.general; }, between(1, many, "a minute"),
                "All other requests an account, or an address without one."},
    declaration{"limits.dashboard", [](settings& s) -> member { return &s.limits.dashboard; },
                between(1, many, "a minute"), "Reads of the dashboard and the console an account."},

    declaration{"audit.keep", [](settings& s) -> member { return &s.audit.keep; }, between(30 * 24h, 3650 * 24h),
                "How long the trail of sensitive acts is kept."},

    declaration{"trial.duration", [](settings& s) -> member { return &s.trial.duration; }, between(24h, 365 * 24h),
                "How long a trial lasts; a day that has begun is whole."},
    declaration{"trial.traffic_gb", [](settings& s) -> member { return &s.trial.traffic_gb; },
                between(1, 1'000'000, "GiB"), "The traffic of a trial."},
    declaration{"trial.devices", [](settings& s) -> member { return &s.trial.devices; }, between(1, 100),
                "The devices of a trial."},

    declaration{"panel.url", [](settings& s) -> member { return &s.panel.url; }, url_or_nothing,
                "The VPN panel; empty: no panel, subscriptions stay without a connection."},
    declaration{"panel.token", [](settings& s) -> member { return &s.panel.token; }, token, "The panel's API token."},
    declaration{"panel.webhook_secret", [](settings& s) -> member { return &s.panel.webhook_secret; }, anything,
                "The secret that signs the panel's webhooks; empty: they are refused."},
    declaration{"panel.poll", [](settings& s) -> member { return &s.panel.poll; }, between(100ms, 1h),
                "How often the panel's nodes are read."},
    declaration{"panel.cache", [](settings& s) -> member { return &s.panel.cache; }, between(0ms, 1h),
                "How long a subscription's traffic and expiry are shown without asking the panel again."},

    declaration{"cryptobot.url", [](settings& s) -> member { return &s.cryptobot.url; }, url, "The Crypto Pay API."},
    declaration{"cryptobot.token", [](settings& s) -> member { return &s.cryptobot.token; }, token,
                "The Crypto Pay API token; empty: no payments by it."},
    declaration{"cryptobot.enabled", [](settings& s) -> member { return &s.cryptobot.enabled; }, anything,
                "Whether new payments are offered by Crypto Pay; what was paid is credited in any case."},
    declaration{"cryptobot.currencies", [](settings& s) -> member { return &s.cryptobot.currencies; },
                shaped("currencies such as USD", is_currency), "What Crypto Pay takes payments in."},
    declaration{"cryptobot.minimum", [](settings& s) -> member { return &s.cryptobot.minimum; },
                between(1, many * 1000, "minor units"), "The smallest payment by Crypto Pay."},
    declaration{"cryptobot.maximum", [](settings& s) -> member { return &s.cryptobot.maximum; },
                between(1, many * 1000, "minor units"), "The largest payment by Crypto Pay."},
    declaration{"cryptobot.fee", [](settings& s) -> member { return &s.cryptobot.fee; },
                between(0, 10'000, "hundredths of a percent"), "What the buyer pays on top by Crypto Pay."},

    declaration{"yookassa.url", [](settings& s) -> member { return &s.yookassa.url; }, url, "The YooKassa API."},
    declaration{"yookassa.shop_id", [](settings& s) -> member { return &s.yookassa.shop_id; }, token,
                "Our shop at YooKassa; empty: no payments by it."},
    declaration{"yookassa.secret_key", [](settings& s) -> member { return &s.yookassa.secret_key; }, token,
                "The key of our shop at YooKassa."},
    declaration{"yookassa.receipt_email", [](settings& s) -> member { return &s.yookassa.receipt_email; },
                shaped("an e-mail address, or empty", is_mailbox),
                "Where receipts go for buyers without an e-mail address."},
    declaration{"yookassa.networks", [](settings& s) -> member { return &s.yookassa.networks; },
                shaped("addresses or networks such as 10.0.0.0/8", is_network),
                "Where webhooks of YooKassa come from; they are not signed."},
    declaration{"yookassa.enabled", [](settings& s) -> member { return &s.yookassa.enabled; }, anything,
                "Whether new payments are offered by YooKassa; what was paid is credited in any case."},
    declaration{"yookassa.currencies", [](settings& s) -> member { return &s.yookassa.currencies; },
                shaped("currencies such as USD", is_currency), "What YooKassa takes payments in."},
    declaration{"yookassa.minimum", [](settings& s) -> member { return &s.yookassa.minimum; },
                between(1, many * 1000, "minor units"), "The smallest payment by YooKassa."},
    declaration{"yookassa.maximum", [](settings& s) -> member { return &s.yookassa.maximum; },
                between(1, many * 1000, "minor units"), "The largest payment by YooKassa."},
    declaration{"yookassa.fee", [](settings& s) -> member { return &s.yookassa.fee; },
                between(0, 10'000, "hundredths of a percent"), "What the buyer pays on top by YooKassa."},

    declaration{"stars.url", [](settings& s) -> member { return &s.stars.url; }, url,
                "The Bot API of Telegram. The bot is telegram.bot_token; without one there are no payments in stars."},
    declaration{"stars.kopeks", [](settings& s) -> member { return &s.stars.kopeks; }, between(1, 100'000, "kopeks"),
                "What a star counts as in roubles."},
    declaration{"stars.cents", [](settings& s) -> member { return &s.stars.cents; }, between(1, 10'000, "cents"),
                "What a star counts as in dollars."},
    declaration{"stars.webhook_secret", [](settings& s) -> member { return &s.stars.webhook_secret; }, token,
                "What Telegram sends along with our bot's updates; empty: they are refused."},
    declaration{"stars.enabled", [](settings& s) -> member { return &s.stars.enabled; }, anything,
                "Whether new payments are offered by Telegram Stars; what was paid is credited in any case."},
    declaration{"stars.currencies", [](settings& s) -> member { return &s.stars.currencies; },
                shaped("currencies such as USD", is_currency), "What Telegram Stars takes payments in."},
    declaration{"stars.minimum", [](settings& s) -> member { return &s.stars.minimum; },
                between(1, many * 1000, "minor units"), "The smallest payment by Telegram Stars."},
    declaration{"stars.maximum", [](settings& s) -> member { return &s.stars.maximum; },
                between(1, many * 1000, "minor units"), "The largest payment by Telegram Stars."},
    declaration{"stars.fee", [](settings& s) -> member { return &s.stars.fee; },
                between(0, 10'000, "hundredths of a percent"), "What the buyer pays on top by Telegram Stars."},

    declaration{"stripe.url", [](settings& s) -> member { return &s.stripe.url; }, url, "The Stripe API."},
    declaration{"stripe.secret_key", [](settings& s) -> member { return &s.stripe.secret_key; }, token,
                "Our secret key at Stripe; empty: no payments by it."},
    declaration{"stripe.webhook_secrets", [](settings& s) -> member { return &s.stripe.webhook_secrets; }, anything,
                "The secrets that sign webhooks of Stripe: the new and the old one while they are changed."},
    declaration{"stripe.enabled", [](settings& s) -> member { return &s.stripe.enabled; }, anything,
                "Whether new payments are offered by Stripe; what was paid is credited in any case."},
    declaration{"stripe.currencies", [](settings& s) -> member { return &s.stripe.currencies; },
                shaped("currencies such as USD", is_currency), "What Stripe takes payments in."},
    declaration{"stripe.minimum", [](settings& s) -> member { return &s.stripe.minimum; },
                between(1, many * 1000, "minor units"), "The smallest payment by Stripe."},
    declaration{"stripe.maximum", [](settings& s) -> member { return &s.stripe.maximum; },
                between(1, many * 1000, "minor units"), "The largest payment by Stripe."},
    declaration{"stripe.fee", [](settings& s) -> member { return &s.stripe.fee; },
                between(0, 10'000, "hundredths of a percent"), "What the buyer pays on top by Stripe."},

    declaration{"lemonsqueezy.url", [](settings& s) -> member { return &s.lemonsqueezy.url; }, url,
                "The Lemon Squeezy API."},
    declaration{"lemonsqueezy.api_key", [](settings& s) -> member { return &s.lemonsqueezy.api_key; }, token,
                "Our key at Lemon Squeezy; empty: no payments by it."},
    declaration{"lemonsqueezy.store", [](settings& s) -> member { return &s.lemonsqueezy.store; }, token,
                "The id of our store at Lemon Squeezy."},
    declaration{"lemonsqueezy.variant", [](settings& s) -> member { return &s.lemonsqueezy.variant; }, token,
                "The id of the product variant whose price our checkouts set."},
    declaration{"lemonsqueezy.webhook_secret", [](settings& s) -> member { return &s.lemonsqueezy.webhook_secret; },
                anything, "The secret that signs webhooks of Lemon Squeezy; empty: they are refused."},
    declaration{"lemonsqueezy.enabled", [](settings& s) -> member { return &s.lemonsqueezy.enabled; }, anything,
                "Whether new payments are offered by Lemon Squeezy; what was paid is credited in any case."},
    declaration{"lemonsqueezy.currencies", [](settings& s) -> member { return &s.lemonsqueezy.currencies; },
                shaped("currencies such as USD", is_currency), "What Lemon Squeezy takes payments in."},
    declaration{"lemonsqueezy.minimum", [](settings& s) -> member { return &s.lemonsqueezy.minimum; },
                between(1, many * 1000, "minor units"), "The smallest payment by Lemon Squeezy."},
    declaration{"lemonsqueezy.maximum", [](settings& s) -> member { return &s.lemonsqueezy.maximum; },
                between(1, many * 1000, "minor units"), "The largest payment by Lemon Squeezy."},
    declaration{"lemonsqueezy.fee", [](settings& s) -> member { return &s.lemonsqueezy.fee; },
                between(0, 10'000, "hundredths of a percent"), "What the buyer pays on top by Lemon Squeezy."},

    declaration{"heleket.url", [](settings& s) -> member { return &s.heleket.url; }, url, "The Heleket API."},
    declaration{"heleket.merchant", [](settings& s) -> member { return &s.heleket.merchant; }, token,
                "Our merchant id at Heleket; empty: no payments by it."},
    declaration{"heleket.api_key", [](settings& s) -> member { return &s.heleket.api_key; }, token,
                "Our payment key at Heleket."},
    declaration{"heleket.enabled", [](settings& s) -> member { return &s.heleket.enabled; }, anything,
                "Whether new payments are offered by Heleket; what was paid is credited in any case."},
    declaration{"heleket.currencies", [](settings& s) -> member { return &s.heleket.currencies; },
                shaped("currencies such as USD", is_currency), "What Heleket takes payments in."},
    declaration{"heleket.minimum", [](settings& s) -> member { return &s.heleket.minimum; },
                between(1, many * 1000, "minor units"), "The smallest payment by Heleket."},
    declaration{"heleket.maximum", [](settings& s) -> member { return &s.heleket.maximum; },
                between(1, many * 1000, "minor units"), "The largest payment by Heleket."},
    declaration{"heleket.fee", [](settings& s) -> member { return &s.heleket.fee; },
                between(0, 10'000, "hundredths of a percent"), "What the buyer pays on top by Heleket."},

    declaration{"mulenpay.url", [](settings& s) -> member { return &s.mulenpay.url; }, url, "The MulenPay API."},
    declaration{"mulenpay.api_key", [](settings& s) -> member { return &s.mulenpay.api_key; }, token,
                "Our key at MulenPay; empty: no payments by it."},
    declaration{"mulenpay.shop_id", [](settings& s) -> member { return &s.mulenpay.shop_id; }, token,
                "The number of our shop at MulenPay."},
    declaration{"mulenpay.secret_key", [](settings& s) -> member { return &s.mulenpay.secret_key; }, token,
                "The secret that signs requests to MulenPay and its webhooks."},
    declaration{"mulenpay.enabled", [](settings& s) -> member { return &s.mulenpay.enabled; }, anything,
                "Whether new payments are offered by MulenPay; what was paid is credited in any case."},
    declaration{"mulenpay.currencies", [](settings& s) -> member { return &s.mulenpay.currencies; },
                shaped("currencies such as USD", is_currency), "What MulenPay takes payments in."},
    declaration{"mulenpay.minimum", [](settings& s) -> member { return &s.mulenpay.minimum; },
                between(1, many * 1000, "minor units"), "The smallest payment by MulenPay."},
    declaration{"mulenpay.maximum", [](settings& s) -> member { return &s.mulenpay.maximum; },
                between(1, many * 1000, "minor units"), "The largest payment by MulenPay."},
    declaration{"mulenpay.fee", [](settings& s) -> member { return &s.mulenpay.fee; },
                between(0, 10'000, "hundredths of a percent"), "What the buyer pays on top by MulenPay."},

    declaration{"tribute.donate_url", [](settings& s) -> member { return &s.tribute.donate_url; }, url_or_nothing,
                "Where a donation is made at Tribute; empty: no payments by it."},
    declaration{"tribute.api_key", [](settings& s) -> member { return &s.tribute.api_key; }, token,
                "Our key at Tribute: it signs the webhooks."},
    declaration{"tribute.enabled", [](settings& s) -> member { return &s.tribute.enabled; }, anything,
                "Whether new payments are offered by Tribute; what was paid is credited in any case."},
    declaration{"tribute.currencies", [](settings& s) -> member { return &s.tribute.currencies; },
                shaped("currencies such as USD", is_currency), "What Tribute takes payments in."},
    declaration{"tribute.minimum", [](settings& s) -> member { return &s.tribute.minimum; },
                between(1, many * 1000, "minor units"), "The smallest payment by Tribute."},
    declaration{"tribute.maximum", [](settings& s) -> member { return &s.tribute.maximum; },
                between(1, many * 1000, "minor units"), "The largest payment by Tribute."},
    declaration{"tribute.fee", [](settings& s) -> member { return &s.tribute.fee; },
                between(0, 10'000, "hundredths of a percent"), "What the buyer pays on top by Tribute."},

    declaration{"payments.poll", [](settings& s) -> member { return &s.payments.poll; }, between(100ms, 1h),
                "How often open payments are looked up at their providers, besides their webhooks."},
    declaration{"payments.return_url", [](settings& s) -> member { return &s.payments.return_url; }, url_or_nothing,
                "Where providers send buyers back to; ?payment=<id> is added. Empty: http.public_url."},

    declaration{"subscriptions.grace", [](settings& s) -> member { return &s.subscriptions.grace; },
                between(0ms, 30 * 24h), "How long access goes on after a subscription has ended."},
    declaration{"subscriptions.jobs", [](settings& s) -> member { return &s.subscriptions.jobs; }, between(100ms, 1h),
                "How often renewals that are due are looked for."},

    declaration{"referrals.enabled", [](settings& s) -> member { return &s.referrals.enabled; }, anything,
                "Whether new accounts are counted for whoever invited them."},
    declaration{"referrals.percent", [](settings& s) -> member { return &s.referrals.percent; },
                between(0, 100, "percent"),
                "The share of a payment of an invited account that goes to whoever invited it. Whatever is promised by "
                "these settings is kept with the invited account: a change counts for those who join later."},
    declaration{"referrals.currency", [](settings& s) -> member { return &s.referrals.currency; },
                shaped("a currency such as USD", is_currency),
                "The currency of the amounts below; a payment in another one brings the share alone."},
    declaration{"referrals.minimum", [](settings& s) -> member { return &s.referrals.minimum; },
                between(0, many * 1000, "minor units"), "The smallest first payment that brings the bonuses."},
    declaration{"referrals.referred_bonus", [](settings& s) -> member { return &s.referrals.referred_bonus; },
                between(0, many * 1000, "minor units"), "The bonus of the invited account after its first payment."},
    declaration{"referrals.referrer_bonus", [](settings& s) -> member { return &s.referrals.referrer_bonus; },
                between(0, many * 1000, "minor units"), "The bonus of whoever invited it."},
    declaration{"referrals.hold", [](settings& s) -> member { return &s.referrals.hold; }, between(0ms, 90 * 24h),
                "How long bonuses wait for a refund before they are credited."},
    declaration{"referrals.share_url", [](settings& s) -> member { return &s.referrals.share_url; }, url_or_nothing,
                "Where invitations lead to; the code follows as /<code>. Empty: http.public_url and /r."},

    declaration{"mail.transport", [](settings& s) -> member { return &s.mail.transport; }, one_of("resend|smtp"),
                "How mail leaves: by Resend's HTTP API, or to an SMTP server."},
    declaration{"mail.from", [](settings& s) -> member { return &s.mail.from; },
                shaped("an e-mail address, with or without a name, or empty", is_mailbox),
                "The sender of all mail, such as hello@example.com; required with mail.key or mail.host."},
    declaration{"mail.link_base", [](settings& s) -> member { return &s.mail.link_base; }, url_or_nothing,
                "The web app that mailed links lead to: its pages /reset-password and /magic-link/verify get the "
                "parameter `token`; empty: http.public_url."},
    declaration{"mail.url", [](settings& s) -> member { return &s.mail.url; }, url, "The Resend mail API."},
    declaration{"mail.key", [](settings& s) -> member { return &s.mail.key; }, token,
                "The Resend API's key; empty: no mail is sent by it."},
    declaration{"mail.host", [](settings& s) -> member { return &s.mail.host; },
                shaped("a host name or an address, or empty", is_host_or_empty),
                "The SMTP server, with mail.transport = \"smtp\"."},
    declaration{"mail.port", [](settings& s) -> member { return &s.mail.port; }, between(1, 65'535),
                "Its port. 465 speaks TLS from the start, all others must offer STARTTLS, except on loopback."},
    declaration{"mail.user", [](settings& s) -> member { return &s.mail.user; }, anything,
                "The user at the SMTP server; empty: it asks for none."},
    declaration{"mail.password", [](settings& s) -> member { return &s.mail.password; }, anything,
                "The user's password at the SMTP server."},

    declaration{"oauth.redirect_uris", [](settings& s) -> member { return &s.oauth.redirect_uris; },
                shaped("absolute URIs without a fragment", is_redirect_uri),
                "Where a provider may send people back to, word for word; ?provider=<name> may follow."},

    declaration{"github.url", [](settings& s) -> member { return &s.providers.github.url; }, url,
                "The site of GitHub."},
    declaration{"github.api_url", [](settings& s) -> member { return &s.providers.github.api_url; }, url,
                "The API of GitHub."},
    declaration{"github.client_id", [](settings& s) -> member { return &s.providers.github.client_id; }, token,
                "Our client id at GitHub; empty: nobody signs in by it."},
    declaration{"github.client_secret", [](settings& s) -> member { return &s.providers.github.client_secret; }, token,
                "The client secret at GitHub."},

    declaration{"google.url", [](settings& s) -> member { return &s.providers.google.url; }, url,
                "The sign-in pages, and the issuer of identity tokens of Google."},
    declaration{"google.api_url", [](settings& s) -> member { return &s.providers.google.api_url; }, url,
                "The token service of Google."},
    declaration{"google.client_id", [](settings& s) -> member { return &s.providers.google.client_id; }, token,
                "Our client id at Google; empty: nobody signs in by it."},
    declaration{"google.client_secret", [](settings& s) -> member { return &s.providers.google.client_secret; }, token,
                "The client secret at Google."},

    declaration{"discord.url", [](settings& s) -> member { return &s.providers.discord.url; }, url,
                "The site of Discord."},
    declaration{"discord.api_url", [](settings& s) -> member { return &s.providers.discord.api_url; }, url,
                "The API of Discord."},
    declaration{"discord.client_id", [](settings& s) -> member { return &s.providers.discord.client_id; }, token,
                "Our client id at Discord; empty: nobody signs in by it."},
    declaration{"discord.client_secret", [](settings& s) -> member { return &s.providers.discord.client_secret; },
                token, "The client secret at Discord."},

    declaration{"apple.url", [](settings& s) -> member { return &s.providers.apple.url; }, url,
                "The sign-in service, and the issuer of identity tokens of Apple."},
    declaration{"apple.client_id", [](settings& s) -> member { return &s.providers.apple.client_id; }, token,
                "Our client id at Apple; empty: nobody signs in by it."},
    declaration{"apple.client_secret", [](settings& s) -> member { return &s.providers.apple.client_secret; }, token,
                "The client secret at Apple: a JWT signed with the developer's key, good for at most six months."},

    declaration{"microsoft.url", [](settings& s) -> member { return &s.providers.microsoft.url; }, url,
                "The sign-in service with its tenant: common, consumers, organizations or the id of one of Microsoft."},
    declaration{"microsoft.client_id", [](settings& s) -> member { return &s.providers.microsoft.client_id; }, token,
                "Our client id at Microsoft; empty: nobody signs in by it."},
    declaration{"microsoft.client_secret", [](settings& s) -> member { return &s.providers.microsoft.client_secret; },
                token, "The client secret at Microsoft."},

    declaration{"twitter.url", [](settings& s) -> member { return &s.providers.twitter.url; }, url, "The site of X."},
    declaration{"twitter.api_url", [](settings& s) -> member { return &s.providers.twitter.api_url; }, url,
                "The API of X."},
    declaration{"twitter.client_id", [](settings& s) -> member { return &s.providers.twitter.client_id; }, token,
                "Our client id at X; empty: nobody signs in by it."},
    declaration{"twitter.client_secret", [](settings& s) -> member { return &s.providers.twitter.client_secret; },
                token, "The client secret at X."},

    declaration{"telegram.url", [](settings& s) -> member { return &s.telegram.url; }, url,
                "Telegram's page that asks people whether they want to sign in here."},
    declaration{"telegram.bot_name", [](settings& s) -> member { return &s.telegram.bot_name; }, token,
                "The name of our bot, without @; sign-in links lead to it."},
    declaration{"telegram.bot_token", [](settings& s) -> member { return &s.telegram.bot_token; },
                shaped("<number>:<secret>, or empty", is_bot_token),
                "The token of our bot; empty: nobody signs in by Telegram."},
    declaration{"telegram.bot_api_secret", [](settings& s) -> member { return &s.telegram.bot_api_secret; }, token,
                "The bearer token by which the bot itself makes sign-in links; empty: only administrators do."},

    declaration{"outbox.workers", [](settings& s) -> member { return &s.outbox.workers; }, between(1, 64),
                "Workers that carry out what was promised in the database: mail, panel, push."},
    declaration{"outbox.lease", [](settings& s) -> member { return &s.outbox.lease; }, between(5s, 1h),
                "How long a worker may keep a row before another one takes it over."},
};

} // namespace

std::span<const declaration> declarations() { return table; }

std::string environment_name(std::string_view name) {
  std::string result = "BACKSTAY_";
  for (char c : name) result += c == '.' ? '_' : (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
  return result;
}

bool is_secret(const declaration& row) {
  settings defaults;
  const auto value = row.of(defaults);
  return std::holds_alternative<secret*>(value) || std::holds_alternative<std::vector<secret>*>(value);
}

void hide_secrets(const settings& values) {
  auto copy = values;
  for (const auto& row : table) {
    const auto value = row.of(copy);
    if (const auto* one = std::get_if<secret*>(&value)) log::hide(**one);
    if (const auto* keys = std::get_if<std::vector<secret>*>(&value))
      for (const auto& key : **keys) {
        log::hide(secret{encode_key(key)});
        log::hide(secret{encode_key_as_hex(key)});
      }
  }
}

} // namespace backstay::config
