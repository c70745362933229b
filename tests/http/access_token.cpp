#define CAF_SUITE http_access_token

#include "http/policy/access_token.hpp"

#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::http;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// The reference: RFC 7515 by OpenSSL alone, sharing no code with what is tested.

std::string base64url(std::string_view data) {
  std::string text(data.size() / 3 * 4 + 5, '\0');
  auto size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                              reinterpret_cast<const unsigned char*>(data.data()), static_cast<int>(data.size()));
  text.resize(static_cast<std::size_t>(size));
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::string hmac(std::string_view key, std::string_view data, const char* digest = "SHA256") {
  std::string mac(EVP_MAX_MD_SIZE, '\0');
  std::size_t size = 0;
  EVP_Q_mac(nullptr, "HMAC", nullptr, digest, nullptr, key.data(), key.size(),
            reinterpret_cast<const unsigned char*>(data.data()), data.size(),
            reinterpret_cast<unsigned char*>(mac.data()), mac.size(), &size);
  mac.resize(size);
  return mac;
}

std::string make_token(std::string_view key, std::string_view header, const json& claims) {
  auto signed_part = base64url(header) + "." + base64url(claims.dump());
  return signed_part + "." + base64url(hmac(hmac(key, "access-token"), signed_part));
}

const std::string key_text = "0123456789abcdef0123456789abcdef", old_key_text = "fedcba9876543210fedcba9876543210";
constexpr auto our_header = R"({"alg":"HS256","typ":"JWT"})";

struct fixture {
  fixture() {
    auto now = std::chrono::floor<std::chrono::seconds>(clock->now());
    grant = {account_id::random(), session_id::random(), role::operator_, "jti \"1\"", "device-1", now, now + 15min};
  }
  json claims() const {
    auto seconds = [](timestamp t) { return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count(); };
    return {{"iss", "backstay"},
            {"aud", "backstay"},
            {"type", "access"},
            {"sub", to_string(grant.account)},
            {"role", "operator"},
            {"sid", to_string(grant.session)},
            {"jti", grant.token_id},
            {"device_id", *grant.device_id},
            {"iat", seconds(grant.issued_at)},
            {"exp", seconds(grant.expires_at)}};
  }
  std::string verdict(std::string_view token) {
    switch (tokens.read(token).verdict) {
    case access_tokens::verdict::valid:
      return "valid";
    case access_tokens::verdict::expired:
      return "expired";
    default:
      return "broken";
    }
  }
  std::string verdict_on(const json& claims) { return verdict(make_token(key_text, our_header, claims)); }
  json with(const char* name, json value) const {
    auto changed = claims();
    changed[name] = std::move(value);
    return changed;
  }

  clock_handle clock = std::make_shared<domain_clock>();
  sessions::access_grant grant;
  access_tokens tokens{{secret{key_text}, secret{old_key_text}}, clock};
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(access_token_tests, fixture)

CAF_TEST(what is signed can be read) {
  auto read = tokens.read(tokens.sign(grant));
  CAF_CHECK(read.verdict == access_tokens::verdict::valid);
  CAF_CHECK(read.grant == grant);
  grant.device_id.reset();
  CAF_CHECK(tokens.read(tokens.sign(grant)).grant == grant);
}

CAF_TEST(our tokens are those that anybody would make by the RFCs) {
  auto token = make_token(key_text, our_header, claims());
  auto read = tokens.read(token);
  CAF_CHECK(read.verdict == access_tokens::verdict::valid);
  CAF_CHECK(read.grant == grant);
  // And what we sign is what the reference would sign over the same claims.
  auto ours = tokens.sign(grant);
  auto signed_part = ours.substr(0, ours.rfind('.'));
  CAF_CHECK_EQUAL(ours.substr(signed_part.size() + 1), base64url(hmac(hmac(key_text, "access-token"), signed_part)));
  CAF_CHECK_EQUAL(ours.substr(0, ours.find('.')), base64url(our_header));
}

CAF_TEST(a token lives until its time and not longer) {
  auto token = tokens.sign(grant);
  clock->set_offset(14min);
  CAF_CHECK_EQUAL(verdict(token), "valid");
  clock->set_offset(15min + 1s);
  CAF_CHECK_EQUAL(verdict(token), "expired");                   // also though it is remembered as genuine
  CAF_CHECK(tokens.read(token).grant.session == grant.session); // whose it was is still known
}

CAF_TEST(a token from the future is refused beyond a minute) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(clock->now()).time_since_epoch().count();
  CAF_CHECK_EQUAL(verdict_on(with("iat", seconds + 50)), "valid");
  CAF_CHECK_EQUAL(verdict_on(with("iat", seconds + 70)), "broken");
}

CAF_TEST(other headers are refused though their signature is right) {
  for (auto header :
       {R"({"alg":"none","typ":"JWT"})", R"({"alg":"RS256","typ":"JWT"})", R"({"alg":"HS512","typ":"JWT"})",
        R"({"typ":"JWT","alg":"HS256"})", R"({"alg":"HS256","typ":"JWT","kid":"1"})",
        R"({"alg":"HS256","typ":"at+jwt"})", R"({"alg":"HS256"})", "{}", ""})
    CAF_CHECK_EQUAL(verdict(make_token(key_text, header, claims())), "broken");
  auto unsigned_token = base64url(R"({"alg":"none"})") + "." + base64url(claims().dump()) + ".";
  CAF_CHECK_EQUAL(verdict(unsigned_token), "broken");
}

CAF_TEST(claims of another purpose are refused) {
  CAF_CHECK_EQUAL(verdict_on(claims()), "valid");
  CAF_CHECK_EQUAL(verdict_on(with("iss", "other")), "broken");
  CAF_CHECK_EQUAL(verdict_on(with("aud", "other")), "broken");
  CAF_CHECK_EQUAL(verdict_on(with("aud", json::array({"backstay"}))), "broken");
  CAF_CHECK_EQUAL(verdict_on(with("type", "refresh")), "broken");
  CAF_CHECK_EQUAL(verdict_on(with("role", "root")), "broken");
  CAF_CHECK_EQUAL(verdict_on(with("sub", "7")), "broken");
  CAF_CHECK_EQUAL(verdict_on(with("sid", 7)), "broken");
  for (auto name : {"iss", "aud", "type", "sub", "role", "sid", "iat", "exp"}) {
    auto fewer = claims();
    fewer.erase(name);
    CAF_CHECK_EQUAL(verdict_on(fewer), "broken");
  }
}

CAF_TEST(times must be whole seconds of our era) {
  for (auto name : {"iat", "exp"})
    for (auto value :
         {json("1800000000"), json(1.8e9), json(-1), json(253'402'300'800), json(18446744073709551615u), json(nullptr)})
      CAF_CHECK_EQUAL(verdict_on(with(name, value)), "broken");
}

CAF_TEST(claims that are no object are refused) {
  for (auto claims : {json("text"), json::array(), json(nullptr), json(5)})
    CAF_CHECK_EQUAL(verdict_on(claims), "broken");
}

CAF_TEST(a change of any letter is noticed) {
  auto token = tokens.sign(grant);
  CAF_CHECK_EQUAL(verdict(token), "valid");
  int accepted = 0;
  for (std::size_t i = 0; i < token.size(); ++i) {
    auto changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    accepted += verdict(changed) != "broken";
  }
  CAF_CHECK_EQUAL(accepted, 0);
}

CAF_TEST(texts that are no token are refused) {
  auto token = tokens.sign(grant);
  auto first = token.find('.'), last = token.rfind('.');
  for (auto& bad : std::vector<std::string>{
           "", ".", "..", "...", "a.b.c", token.substr(0, last), token.substr(0, last + 1), token.substr(first),
           token + ".", token + "=", token + "A", " " + token, token.substr(0, first) + ".." + token.substr(last + 1),
           token.substr(0, token.size() - 1)})
    CAF_CHECK_EQUAL(verdict(bad), "broken");
}

CAF_TEST(a token above 2048 letters is not looked at) {
  auto of_size = [&](std::size_t jti) { return make_token(key_text, our_header, with("jti", std::string(jti, 'x'))); };
  CAF_CHECK_EQUAL(verdict(of_size(900)), "valid");
  auto large = of_size(1500);
  CAF_CHECK(large.size() > 2048);
  CAF_CHECK_EQUAL(verdict(large), "broken");
}

CAF_TEST(an older key of ours is accepted and no other) {
  CAF_CHECK_EQUAL(verdict(make_token(old_key_text, our_header, claims())), "valid");
  CAF_CHECK_EQUAL(verdict(make_token(std::string(32, 'x'), our_header, claims())), "broken");
  CAF_CHECK_EQUAL(verdict(make_token("", our_header, claims())), "broken");
  access_tokens newer{{secret{old_key_text}}, clock};
  CAF_CHECK(newer.read(tokens.sign(grant)).verdict == access_tokens::verdict::broken);
}

CAF_TEST_FIXTURE_SCOPE_END()
