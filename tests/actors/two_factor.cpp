#define CAF_SUITE two_factor

#include "actors/kernel/crypto.hpp"
#include "actors/two_factor/actor.hpp"
#include "actors/two_factor/qr.hpp"
#include "actors/two_factor/rules.hpp"
#include "actors/two_factor/store.hpp"
#include "tests/actors/scene.hpp"

#include <png.h>

#include <set>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::two_factor;
using namespace std::chrono_literals;

namespace {

// RFC 6238, appendix B: "12345678901234567890" in base32.
const secret reference{"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"};

timestamp at(std::int64_t seconds) { return timestamp{std::chrono::seconds{seconds}}; }

struct scripted_hashing {
  std::vector<std::string> against;
  outcome<hashing::verdict> answer = hashing::verdict{.matches = true};
};

hashing::hashing_actor::behavior_type hasher_of(std::shared_ptr<scripted_hashing> play) {
  return {[play](const hashing::password_job& job) -> caf::result<hashing::verdict> {
    play->against.push_back(job.against);
    if (auto* refusal = std::get_if<fault>(&play->answer)) return to_error(*refusal);
    return std::get<hashing::verdict>(play->answer);
  }};
}

struct fixture : scene {
  void password_reserved() { database.returns(outcome<std::string>{std::string{"hash"}}); }
  void nobody_waits() { database.returns(std::optional<sessions::store::opening>{}); }
  void somebody_waits() { database.returns(std::optional{sessions::store::opening{.account = {.id = account}}}); }

  account_id account = account_id::random();
  caller who{account, session_id::random()};
  reauthenticate again{.caller = who, .password = secret{"guess"}};
  disable off{.caller = who, .password = secret{"guess"}, .code = secret{"123456"}};
  validate second{.bearer = secret{"waiting"}, .code = secret{"123456"}};
  std::vector<std::string> invalidated;
  std::shared_ptr<scripted_hashing> hashing = std::make_shared<scripted_hashing>();
  two_factor_actor actor = on_stage(two_factor_actor{sys.spawn(
      two_factor::two_factor, context,
      two_factor_dependencies{on_stage(sys.spawn(hasher_of, hashing)),
                              std::make_shared<const sessions::store::terms>(
                                  sessions::store::terms{.keys = keyring{{secret{std::string(32, 'k')}}}}),
                              [this](const std::string& what) { invalidated.push_back(what); }, "Ship & Co"})});
};

} // namespace

CAF_TEST(codes of the vectors of RFC 6238) {
  // The last six of the RFC's eight digits: a shorter code is the same number, less of it.
  const std::vector<std::pair<std::int64_t, std::string>> vectors{{59, "287082"},
                                                                  {1'111'111'109, "081804"},
                                                                  {1'111'111'111, "050471"},
                                                                  {1'234'567'890, "005924"},
                                                                  {2'000'000'000, "279037"},
                                                                  {20'000'000'000, "353130"}};
  for (auto& [seconds, code] : vectors) {
    CAF_CHECK(code_at(reference, seconds / 30) == secret{code});
    CAF_CHECK_EQUAL(step_of(reference, secret{code}, at(seconds)).value_or(-1), seconds / 30);
  }
}

CAF_TEST(a code is good from one step before its own to one step after) {
  const secret code{"050471"}; // of step 37037037, which begins at 1111111110
  for (auto [seconds, is_good] : std::vector<std::pair<std::int64_t, bool>>{{1'111'111'079, false},
                                                                            {1'111'111'080, true},
                                                                            {1'111'111'110, true},
                                                                            {1'111'111'169, true},
                                                                            {1'111'111'170, false}}) {
    CAF_MESSAGE(seconds);
    CAF_CHECK_EQUAL(step_of(reference, code, at(seconds)) == 37'037'037, is_good);
  }
  for (auto wrong : {"", "50471", "0050471", "050472", "14050471", "abcdef"})
    CAF_CHECK(!step_of(reference, secret{wrong}, at(1'111'111'111)));
}

CAF_TEST(shared secrets are random and fit authenticator apps) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    auto text = make_shared_secret().reveal();
    CAF_CHECK_EQUAL(text.size(), 32u);
    CAF_CHECK(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == std::string::npos);
    seen.insert(text);
  }
  CAF_CHECK_EQUAL(seen.size(), 100u);
}

CAF_TEST(a key URI escapes what would end its parts) {
  auto uri = key_uri(reference, "Ship & Co", "a+b/ü@example.com");
  CAF_CHECK_EQUAL(uri.reveal(), "otpauth://totp/Ship%20%26%20Co:a%2Bb%2F%C3%BC%40example.com?secret=" +
                                    reference.reveal() + "&issuer=Ship%20%26%20Co&algorithm=SHA1&digits=6&period=30");
}

CAF_TEST(recovery codes are read in any case) {
  auto made = make_recovery_code();
  CAF_CHECK(read_recovery_code(made) == made);
  CAF_CHECK(read_recovery_code(secret{"a1b2c3d4"}) == secret{"A1B2C3D4"});
  for (auto wrong : {"", "123456", "A1B2C3D", "A1B2C3D4E", "A1B2C3DG", "A1B2 C3D4"})
    CAF_CHECK(!read_recovery_code(secret{wrong}));
}

CAF_TEST(a QR picture is a small black and white PNG with a quiet zone) {
  auto uri = qr_picture(key_uri(reference, "Backstay", "somebody@example.com")).reveal();
  const std::string head = "data:image/png;base64,";
  CAF_REQUIRE(uri.starts_with(head));
  CAF_CHECK(uri.size() < 4'000);
  auto file = crypto::from_base64(uri.substr(head.size())).value();
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  CAF_REQUIRE(png_image_begin_read_from_memory(&image, file.data(), file.size()));
  image.format = PNG_FORMAT_GRAY;
  std::string pixels(PNG_IMAGE_SIZE(image), '\0');
  CAF_REQUIRE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr));
  CAF_CHECK_EQUAL(image.width, image.height);
  CAF_CHECK_EQUAL(image.width % 6, 0u);
  CAF_CHECK((image.width / 6 - 8 - 17) % 4 == 0); // every version has 17 + 4 v modules
  auto shade = [&](unsigned x, unsigned y) { return static_cast<unsigned char>(pixels[y * image.width + x]); };
  for (unsigned i = 0; i < image.width; ++i) CAF_CHECK(shade(i, 23) == 255 && shade(23, i) == 255);
  // The finder pattern in the corner: seven dark modules in a row, then a light one.
  for (unsigned i = 0; i < 7; ++i) CAF_CHECK_EQUAL(shade(24 + i * 6, 24), 0);
  CAF_CHECK_EQUAL(shade(24 + 7 * 6, 24), 255);
}

CAF_TEST_FIXTURE_SCOPE(two_factor_tests, fixture)

CAF_TEST(the right password re - authenticates) {
  password_reserved();
  database.returns(done{});
  CAF_CHECK(answer_of(actor, again).valid_for == 5min);
  CAF_CHECK_EQUAL(hashing->against.at(0), "hash");
}

CAF_TEST(a wrong password is refused and stays counted) {
  hashing->answer = hashing::verdict{};
  password_reserved();
  CAF_CHECK(fault_of(actor, again) == wrong_password());
  password_reserved();
  CAF_CHECK(fault_of(actor, off) == wrong_password());
}

CAF_TEST(without a guess left nothing is hashed) {
  for (int i = 0; i < 2; ++i) database.returns(outcome<std::string>{sessions::locked_out(17s)});
  CAF_CHECK(fault_of(actor, again).code == ec::locked);
  CAF_CHECK(fault_of(actor, off).retry_after == 17s);
  CAF_CHECK(hashing->against.empty());
}

CAF_TEST(a guess that could not be checked is given back) {
  hashing->answer = fault{.code = ec::overloaded, .retry_after = 1s};
  password_reserved();
  database.returns(done{});
  CAF_CHECK(fault_of(actor, off).code == ec::overloaded);
  CAF_CHECK_EQUAL(*database.asked, 2);
}

CAF_TEST(without a password none is checked) {
  off.password.reset();
  database.returns(outcome<std::string>{std::string{}});
  database.returns(done{});
  CAF_CHECK(fault_of(actor, off).code == ec::none);
  CAF_CHECK(hashing->against.empty());
}

CAF_TEST(turning it on and off drops the account from the cache) {
  database.returns(outcome<confirmed>{confirmed{{secret{"A1B2C3D4"}}}});
  CAF_CHECK_EQUAL(answer_of(actor, confirm{.caller = who}).recovery_codes.size(), 1u);
  password_reserved();
  database.returns(done{});
  answer_of(actor, off);
  CAF_CHECK(invalidated == std::vector(2, "account:" + to_string(account)));
  database.returns(outcome<confirmed>{wrong_first_code()});
  CAF_CHECK(fault_of(actor, confirm{.caller = who}) == wrong_first_code());
  CAF_CHECK_EQUAL(invalidated.size(), 2u);
}

CAF_TEST(what is set up is told in every form) {
  database.returns(std::string{"ada@example.com"});
  auto made = answer_of(actor, set_up{who});
  CAF_CHECK(made.uri == key_uri(made.shared_secret, "Ship & Co", "ada@example.com"));
  CAF_CHECK(made.picture == qr_picture(made.uri));
}

CAF_TEST(a sign - in that waits goes before a session) {
  second.caller = who;
  somebody_waits();
  database.returns(outcome<validated>{validated{true, sessions::signed_in{.account = {.login = "bob"}}}});
  auto answer = answer_of(actor, second);
  CAF_CHECK_EQUAL(answer.session.value().account.login, "bob");
  nobody_waits();
  database.returns(outcome<validated>{validated{false, std::nullopt}});
  CAF_CHECK(!answer_of(actor, second).is_valid);
}

CAF_TEST(where nothing waits and nobody is signed in no code is tried) {
  nobody_waits();
  CAF_CHECK(fault_of(actor, second).code == ec::unauthenticated);
  CAF_CHECK_EQUAL(*database.asked, 1);
}

CAF_TEST(failures of the database are told as they are) {
  for (auto code : {ec::unavailable, ec::overloaded, ec::timeout, ec::in_doubt}) {
    auto fails = [&](auto message) {
      database.fails(code);
      return fault_of(actor, message).code == code;
    };
    CAF_CHECK(fails(get_standing{account}));
    CAF_CHECK(fails(again));
    CAF_CHECK(fails(off));
    CAF_CHECK(fails(set_up{who}));
    CAF_CHECK(fails(confirm{.caller = who}));
    CAF_CHECK(fails(second));
    password_reserved();
    CAF_CHECK(fails(again));
    password_reserved();
    CAF_CHECK(fails(off));
    somebody_waits();
    CAF_CHECK(fails(second));
  }
  CAF_CHECK(invalidated.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
