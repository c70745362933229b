#include "integrations/sandbox/smtp.hpp"
#include "integrations/sandbox/world.hpp"

#include <algorithm>
#include <deque>
#include <optional>

namespace backstay::sandbox {

namespace {

/// Older mails are forgotten.
constexpr std::size_t most_mails = 1000;

/// https://resend.com/docs/api-reference/errors
answer error(int status, const std::string& name, const std::string& message) {
  return reply({{"statusCode", status}, {"name", name}, {"message", message}}, status);
}

std::vector<std::string> recipients(const json& body) {
  const auto to = body.find("to");
  std::vector<std::string> all;
  if (to != body.end() && to->is_string()) all = {to->get<std::string>()};
  if (to != body.end() && to->is_array())
    for (const auto& entry : *to)
      if (entry.is_string()) all.push_back(entry.get<std::string>());
  return all;
}

/// The address of `Name <address>`, or the whole text.
std::string address(const std::string& recipient) {
  const auto open = recipient.rfind('<');
  return lower_case(open == std::string::npos ? recipient : recipient.substr(open + 1, recipient.size() - open - 2));
}

std::string text_of(const json& body, const char* name) {
  const auto found = body.find(name);
  return found != body.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

/// Resend's HTTP API (https://resend.com/docs/api-reference/emails/send-email), and an SMTP server beside it: the mails
/// of both arrive at `GET /sandbox/mail`.
class mail final : public fake {
public:
  explicit mail(world& w) : world_(w) {}

  std::string name() const override { return "mail"; }

  void declare(routes& table) override {
    const auto& given = world_.given;
    if (given.smtp_port != 0)
      smtp_.emplace(world_, given.smtp_port, given.smtp_user, given.mail_key, [this](const received_mail& mail) {
        keep({{"to", mail.to}, {"subject", mail.subject}, {"text", mail.text}, {"html", mail.html}}, mail.message_id,
             {}, "smtp");
      });
    table.api(*this, "POST", "/emails", [this](const call& c) { return send(c); });
    table.control("GET", "/sandbox/mail", "Read the mails that were sent, the newest first",
                  {{"?to", "somebody@example.com"}}, [this](const call& c) { return list(c); });
    table.control("DELETE", "/sandbox/mail", "Forget all mails", {}, [this](const call&) {
      mails_.clear();
      world_.changed();
      return answer{204};
    });
  }

  void guard(const call& c) const override {
    const auto authorization = c.header("authorization");
    if (authorization.empty())
      throw refusal(error(401, "missing_api_key", "Missing API key in the authorization header."));
    if (!same_secret(authorization, "Bearer " + world_.given.mail_key))
      throw refusal(error(403, "invalid_api_key", "API key is invalid."));
  }

  answer unknown_route(const call&) const override {
    return error(404, "not_found", "The requested endpoint does not exist.");
  }

  answer malformed(const call&) const override { return error(400, "validation_error", "The body is not valid JSON."); }

  json save() const override { return {{"mails", mails_}}; }

  void load(const json& state) override { state.at("mails").get_to(mails_); }

private:
  answer send(const call& c) {
    const auto body = json::parse(c.body);
    check(body);
    const auto key = c.header("idempotency-key");
    if (key.size() > 256) return error(400, "invalid_idempotency_key", "The key must be 1 to 256 characters.");
    const auto digest = hmac_sha256_hex({}, c.body);
    const auto earlier = std::find_if(mails_.begin(), mails_.end(), [&](const json& m) { return m["key"] == key; });
    if (!key.empty() && earlier != mails_.end()) {
      if ((*earlier)["digest"] == digest) return reply({{"id", (*earlier)["id"]}});
      return error(409, "invalid_idempotent_request", "Same idempotency key used with a different request payload.");
    }
    return reply({{"id", keep(body, key, digest, "resend")}});
  }

  static void check(const json& body) {
    for (const auto* required : {"from", "to", "subject"})
      if (!body.is_object() || !body.contains(required))
        throw refusal(error(422, "missing_required_field", "Missing `" + std::string(required) + "` field."));
    if (text_of(body, "html").empty() && text_of(body, "text").empty())
      throw refusal(error(422, "missing_required_field", "Missing `html` or `text` field."));
    const auto to = recipients(body);
    const auto is_address = [](const std::string& text) { return text.find('@') != std::string::npos; };
    if (to.empty() || to.size() > 50 || !std::all_of(to.begin(), to.end(), is_address) ||
        !is_address(text_of(body, "from")))
      throw refusal(
          error(422, "validation_error", "Invalid `to` or `from` field. The email address needs to be valid."));
  }

  std::string keep(const json& body, const std::string& key, const std::string& digest, const char* transport) {
    const auto id = random_uuid();
    mails_.push_front({{"id", id},
                       {"key", key},
                       {"transport", transport},
                       {"digest", digest},
                       {"to", recipients(body)},
                       {"subject", text_of(body, "subject")},
                       {"text", text_of(body, "text")},
                       {"html", text_of(body, "html")},
                       {"sent_at", format_time(world_.now())}});
    if (mails_.size() > most_mails) mails_.pop_back();
    world_.changed();
    return id;
  }

  /// One item a recipient.
  answer list(const call& c) const {
    const auto wanted = c.query.find("to");
    auto items = json::array();
    for (const auto& m : mails_)
      for (const auto& to : m["to"])
        if (wanted == c.query.end() || address(to.get<std::string>()) == lower_case(wanted->second))
          items.push_back({{"to", to},
                           {"subject", m["subject"]},
                           {"text", m["text"]},
                           {"html", m["html"]},
                           {"transport", m.value("transport", "resend")},
                           {"sent_at", m["sent_at"]}});
    return reply({{"items", items}});
  }

  world& world_;
  /// The newest first.
  std::deque<json> mails_;
  std::optional<smtp_server> smtp_;
};

} // namespace

std::unique_ptr<fake> make_mail(world& w) { return std::make_unique<mail>(w); }

} // namespace backstay::sandbox
