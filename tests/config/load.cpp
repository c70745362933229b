#define CAF_SUITE load

#include "config/load.hpp"
#include "config/keys.hpp"
#include "tests/config/scratch.hpp"

#include <algorithm>

#include "caf/test/dsl.hpp"

using namespace backstay;
using namespace backstay::config;
using namespace std::chrono_literals;

namespace {

const std::string long_key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

struct fixture {
  test::scratch folder;
  sources from;

  fixture() { from.environment["ENVIRONMENT"] = "development"; }

  void file(const std::string& content) { from.file = folder.write("backstay.toml", content); }

  settings good() {
    auto result = load(from);
    if (auto* wrong = std::get_if<std::vector<complaint>>(&result))
      for (const auto& each : *wrong) CAF_FAIL("unexpected: " << each.line());
    return std::get<settings>(std::move(result));
  }

  std::string database_url() { return good().database.url.reveal(); }

  /// The complaints as lines, without the folder's name.
  std::vector<std::string> bad() {
    auto result = load(from);
    std::vector<std::string> lines;
    if (auto* wrong = std::get_if<std::vector<complaint>>(&result))
      for (const auto& each : *wrong) lines.push_back(without_folder(each.line()));
    return lines;
  }

  std::string only_bad() {
    const auto lines = bad();
    CAF_REQUIRE_EQUAL(lines.size(), 1u);
    return lines.front();
  }

  std::string without_folder(std::string line) const {
    const auto prefix = folder.path().string() + "/";
    for (auto at = line.find(prefix); at != line.npos; at = line.find(prefix)) line.erase(at, prefix.size());
    return line;
  }

  /// The only complaint about one line of TOML, which stands on line 2 of the file.
  std::string bad_line(const std::string& section, const std::string& line) {
    file("[" + section + "]\n" + line + "\n");
    return only_bad();
  }

  std::string bad_argument(const std::string& argument) {
    from.set = {argument};
    return only_bad();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(load_tests, fixture)

CAF_TEST(defaults stand where nothing is said) {
  const auto s = good();
  CAF_CHECK_EQUAL(s.http.address, "127.0.0.1");
  CAF_CHECK_EQUAL(s.http.port, 8080);
  CAF_CHECK_EQUAL(s.sandbox.port, 8090);
  CAF_CHECK_EQUAL(s.data.directory, "var");
  CAF_CHECK(s.database.url.empty());
  CAF_CHECK(s.sessions.refresh_remembered == 720h);
  CAF_CHECK_EQUAL(settings{}.environment, "production");
}

CAF_TEST(each source is stronger than those before) {
  file("[http]\nport = 1001\n[database]\nurl = 'postgresql:///file'\n");
  CAF_CHECK_EQUAL(good().http.port, 1001);
  from.environment["BACKSTAY_HTTP_PORT"] = "1002";
  CAF_CHECK_EQUAL(good().http.port, 1002);
  from.set = {"http.port=1003"};
  CAF_CHECK_EQUAL(good().http.port, 1003);
  from.set = {"http.port=1003", "http.port=1004"};
  CAF_CHECK_EQUAL(good().http.port, 1004);

  CAF_CHECK_EQUAL(database_url(), "postgresql:///file");
  from.environment["DATABASE_URL"] = "postgres:///alias";
  CAF_CHECK_EQUAL(database_url(), "postgres:///alias");
  from.environment["BACKSTAY_DATABASE_URL"] = "host=/run dbname=own";
  CAF_CHECK_EQUAL(database_url(), "host=/run dbname=own");
}

CAF_TEST(every type can be written in the file) {
  file("environment = 'test'\n"
       "http.trusted_proxies = ['10.0.0.0/8', '::1']\n"
       "registration = { enabled = false }\n"
       "[timeouts]\njob = '250ms'\n"
       "[database]\nstatement_timeout = '100ms'\n"
       "[trial]\nduration = '7d'\n"
       "[cryptobot]\ntoken = 'tick'\n");
  from.environment.clear();
  const auto s = good();
  CAF_CHECK_EQUAL(s.environment, "test");
  CAF_CHECK_EQUAL(s.http.trusted_proxies, (std::vector<std::string>{"10.0.0.0/8", "::1"}));
  CAF_CHECK(!s.registration.enabled);
  CAF_CHECK(s.timeouts.job == 250ms);
  CAF_CHECK(s.trial.duration == 168h);
  CAF_CHECK_EQUAL(s.cryptobot.token.reveal(), "tick");
}

CAF_TEST(every type can be written as plain text) {
  from.set = {
      "http.trusted_proxies=10.0.0.1, fd00::/8", "registration.enabled=0", "trial.duration=36h", "http.cors_origins=",
      "mail.from=Backstay <hello@example.com>",  "limits.general=1000000"};
  const auto s = good();
  CAF_CHECK_EQUAL(s.http.trusted_proxies, (std::vector<std::string>{"10.0.0.1", "fd00::/8"}));
  CAF_CHECK(!s.registration.enabled);
  CAF_CHECK(s.trial.duration == 36h);
  CAF_CHECK(s.http.cors_origins.empty());
  CAF_CHECK_EQUAL(s.mail.from, "Backstay <hello@example.com>");
  CAF_CHECK_EQUAL(s.limits.general, 1'000'000u);
}

CAF_TEST(an empty variable and the variables of others do not count) {
  from.environment["BACKSTAY_HTTP_PORT"] = "";
  from.environment["DATABASE_URL"] = "";
  from.environment["HTTP_PORT"] = "x";
  from.environment["BACKSTAY_SERVICE_HOST"] = "10.0.0.1";
  from.environment["BACKSTAY_PORT"] = "tcp://10.0.0.1:8080";
  from.environment["BACKSTAY_PORT_8080_TCP_PORT"] = "8080";
  CAF_CHECK_EQUAL(good().http.port, 8080);
}

CAF_TEST(a wrong type names its line) {
  CAF_CHECK_EQUAL(bad_line("http", "port = '80'"), "backstay.toml:2: http.port: expected an integer, not a string");
  CAF_CHECK_EQUAL(bad_line("http", "port = 80.5"),
                  "backstay.toml:2: http.port: expected an integer, not a number with a fraction");
  CAF_CHECK_EQUAL(bad_line("http", "address = 127"),
                  "backstay.toml:2: http.address: expected a string, not an integer");
  CAF_CHECK_EQUAL(bad_line("http", "cors_origins = 'https://a.b'"),
                  "backstay.toml:2: http.cors_origins: expected a list of strings, not a string");
  CAF_CHECK_EQUAL(bad_line("http", "cors_origins = [1]"),
                  "backstay.toml:2: http.cors_origins: expected a list of strings, not a list of other things");
  CAF_CHECK_EQUAL(bad_line("http", "port = { of = 1 }"),
                  "backstay.toml:2: http.port: expected an integer, not a table");
  CAF_CHECK_EQUAL(
      bad_line("http", "idle_timeout = 2024-01-01"),
      "backstay.toml:2: http.idle_timeout: expected a duration such as \"250ms\", \"15m\" or \"30d\", not a "
      "date or time");
  CAF_CHECK_EQUAL(bad_line("registration", "enabled = 'yes'"),
                  "backstay.toml:2: registration.enabled: expected true or false, not a string");
  CAF_CHECK_EQUAL(bad_line("panel", "token = true"), "backstay.toml:2: panel.token: expected a string, not a boolean");
}

CAF_TEST(plain text of the wrong type names its source) {
  CAF_CHECK_EQUAL(bad_argument("http.port=eighty"), "--set http.port: expected an integer, not this text");
  CAF_CHECK_EQUAL(bad_argument("http.port=80 "), "--set http.port: expected an integer, not this text");
  CAF_CHECK_EQUAL(bad_argument("http.port="), "--set http.port: expected an integer, not this text");
  CAF_CHECK_EQUAL(bad_argument("registration.enabled=maybe"),
                  "--set registration.enabled: expected true or false, not this text");
  from.set.clear();
  from.environment["BACKSTAY_HTTP_PORT"] = "99999999999999999999";
  CAF_CHECK_EQUAL(only_bad(), "BACKSTAY_HTTP_PORT: http.port: expected an integer, not this text");
}

CAF_TEST(a value out of bounds tells the bounds) {
  CAF_CHECK_EQUAL(bad_line("http", "port = 65536"),
                  "backstay.toml:2: http.port: 65536 is out of bounds, allowed is 0..65535");
  CAF_CHECK_EQUAL(bad_line("database", "connections = -1"),
                  "backstay.toml:2: database.connections: -1 is out of bounds, allowed is 1..64");
  CAF_CHECK_EQUAL(bad_line("http", "idle_timeout = '2h'"),
                  "backstay.toml:2: http.idle_timeout: 2h is out of bounds, allowed is 1s..1h");
  CAF_CHECK_EQUAL(bad_line("log", "level = 'loud'"),
                  "backstay.toml:2: log.level: \"loud\" is not allowed, expected debug, info, warning, error");
  CAF_CHECK_EQUAL(bad_line("log", "level = 'info|error'"),
                  "backstay.toml:2: log.level: \"info|error\" is not allowed, expected debug, info, warning, error");
  CAF_CHECK_EQUAL(bad_line("log", "level = ''"),
                  "backstay.toml:2: log.level: \"\" is not allowed, expected debug, info, warning, error");
}

CAF_TEST(a bad duration is explained) {
  for (const char* text : {"15", "m", "", "1.5h", "-1s", "15 m", "5 minutes", "9223372036854775807d"})
    CAF_CHECK_EQUAL(bad_argument(std::string{"http.idle_timeout="} + text),
                    std::string{"--set http.idle_timeout: \""} + text +
                        "\" is not a duration such as \"250ms\", \"15m\" or \"30d\"");
}

CAF_TEST(text must have its shape) {
  for (const char* bad_text : {"http.address=localhost",
                               "http.address=1.2.3",
                               "http.trusted_proxies=10.0.0.0/33",
                               "http.trusted_proxies=::/129",
                               "http.trusted_proxies=10.0.0.0/",
                               "http.cors_origins=*",
                               "http.cors_origins=https://a.b/",
                               "data.directory=",
                               "http.cors_origins=https://A.b",
                               "http.public_url=example.com",
                               "cryptobot.url=",
                               "mail.url=ftp://a.b",
                               "mail.url=https://user@a.b",
                               "mail.url=https://a.b?x",
                               "mail.url=https://",
                               "mail.url=https://a.b:99999",
                               "mail.from=nobody",
                               "two_factor.issuer=",
                               "two_factor.issuer=Ship: yard",
                               "mail.from=Name <a@b> ",
                               "mail.key=two words",
                               "mail.host=https://mail.example.com",
                               "mail.host=[::1]",
                               "mail.link_base=app.example.com",
                               "database.url=mysql://x",
                               "database.url=postgresql+asyncpg://u@h/d?a=b"}) {
    const auto line = bad_argument(bad_text);
    CAF_CHECK_NOT_EQUAL(line.find("expected "), std::string::npos);
  }
  from.set = {
      "http.address=::1", "http.trusted_proxies=10.0.0.0/8,::/0,127.0.0.1", "http.public_url=https://[::1]:8443/x",
      "http.cors_origins=https://app.example.com:8443,capacitor://localhost", "mail.url=http://127.0.0.1:8090/mail"};
  CAF_CHECK_EQUAL(good().http.trusted_proxies.size(), 3u);
}

CAF_TEST(unknown names are named with the nearest known one) {
  CAF_CHECK_EQUAL(bad_line("http", "prot = 1"), "backstay.toml:2: http.prot: unknown setting, did you mean http.port?");
  CAF_CHECK_EQUAL(bad_line("htpp", "port = 1"), "backstay.toml:2: htpp.port: unknown setting, did you mean http.port?");
  CAF_CHECK_EQUAL(bad_line("weather", "sunny = true"), "backstay.toml:2: weather.sunny: unknown setting");
  file("http = 1\n[weather]\n");
  CAF_CHECK_EQUAL(bad(), (std::vector<std::string>{
                             "backstay.toml:1: http: is a section, not a setting; write [http] above its settings",
                             "backstay.toml:2: weather: unknown setting"}));
  from.file.reset();
  CAF_CHECK_EQUAL(bad_argument("http.prt=1"), "--set http.prt: unknown setting, did you mean http.port?");
  CAF_CHECK_EQUAL(bad_argument("=1"), "--set : unknown setting");
  CAF_CHECK_EQUAL(bad_argument("hunter2hunter2"), "--set: expected section.key=value");
  from.set.clear();
  from.environment["BACKSTAY_HTTP_PROT"] = "1";
  CAF_CHECK_EQUAL(only_bad(), "BACKSTAY_HTTP_PROT: unknown setting, did you mean BACKSTAY_HTTP_PORT?");
}

CAF_TEST(everything wrong is named at once) {
  file("[http]\nport = 70000\nadress = '::1'\n\n[database]\nconnections = 0\nqueue = 'long'\n");
  from.environment["BACKSTAY_LOG_FORMAT"] = "xml";
  from.environment["BACKSTAY_NO_SUCH"] = "1";
  from.set = {"outbox.lease=1s", "what"};
  auto lines = bad();
  for (auto& line : lines) line.resize(line.find(' ', line.starts_with("--set ") ? 6 : 0)); // only where
  CAF_CHECK_EQUAL(
      lines, (std::vector<std::string>{"backstay.toml:2:", "backstay.toml:3:", "backstay.toml:6:", "backstay.toml:7:",
                                       "BACKSTAY_LOG_FORMAT:", "BACKSTAY_NO_SUCH:", "--set outbox.lease:", "--set:"}));
}

CAF_TEST(broken TOML is found with line and column) {
  file("[http]\nport = = 1\n");
  from.set = {"http.port=x"};
  const auto lines = bad();
  CAF_REQUIRE_EQUAL(lines.size(), 2u);
  CAF_CHECK(lines[0].starts_with("backstay.toml:2:8: "));
  CAF_CHECK(lines[1].starts_with("--set http.port: "));
  from.set.clear();
  for (const auto& content : {std::string{"[http]\nport = 1\nport = 2\n"}, std::string{"a = \"\xff\""},
                              std::string(5'000, '['), std::string{"a = '''"}, "a = " + std::string(5'000, '[')}) {
    file(content);
    CAF_CHECK_EQUAL(bad().size(), 1u);
  }
}

CAF_TEST(a file that cannot be read is one complaint) {
  from.file = folder.path() / "missing.toml";
  CAF_CHECK_EQUAL(bad(), (std::vector<std::string>{"missing.toml: No such file or directory"}));
  std::filesystem::create_directory(folder.path() / "folder");
  from.file = folder.path() / "folder";
  CAF_CHECK_EQUAL(bad(), (std::vector<std::string>{"folder: Is a directory"}));
  file(std::string(1'048'577, '\n'));
  CAF_CHECK_EQUAL(bad(), (std::vector<std::string>{"backstay.toml: File too large"}));
}

CAF_TEST(production needs keys) {
  from.environment.clear();
  const auto lines = bad();
  CAF_REQUIRE_EQUAL(lines.size(), 1u);
  CAF_CHECK(lines[0].starts_with("security.keys: required in production"));
  from.set = {"security.keys="};
  CAF_CHECK_EQUAL(bad().size(), 1u);
  from.set = {"security.keys=" + long_key};
  CAF_CHECK(good().in_production());
  from.set = {"environment=developmnt"};
  CAF_CHECK(only_bad().starts_with("--set environment: \"developmnt\" is not allowed"));
}

CAF_TEST(the sandbox implies development and excludes production) {
  from.environment.clear();
  from.set = {"sandbox.enabled=true"};
  CAF_CHECK(good().in_development());
  from.environment["ENVIRONMENT"] = "test";
  CAF_CHECK_EQUAL(good().environment, "test");
  from.environment["ENVIRONMENT"] = "production";
  from.set.push_back("security.keys=" + long_key);
  CAF_CHECK_EQUAL(bad(),
                  (std::vector<std::string>{
                      "ENVIRONMENT: environment: the sandbox never runs in production; leave one of the two out"}));
}

CAF_TEST(settings that contradict each other are refused) {
  CAF_CHECK_EQUAL(bad_argument("timeouts.domain=5s"),
                  "--set timeouts.domain: timeouts.domain (5s) must be less than timeouts.request (5s)");
  CAF_CHECK_EQUAL(bad_argument("timeouts.request=4s"),
                  "--set timeouts.request: timeouts.domain (4s) must be less than timeouts.request (4s)");
  CAF_CHECK_EQUAL(bad_argument("sessions.refresh=31d"),
                  "--set sessions.refresh: must not be longer than sessions.refresh_remembered");
  CAF_CHECK_EQUAL(bad_argument("panel.url=https://panel.example.com"), "panel.token: required with panel.url");
  CAF_CHECK_EQUAL(bad_argument("mail.key=re_123"), "mail.from: required with mail.key");
  CAF_CHECK_EQUAL(bad_argument("mail.transport=smtp"), "--set mail.transport: smtp requires mail.host");
  from.set = {"mail.transport=smtp", "mail.host=mail.example.com"};
  CAF_CHECK_EQUAL(bad(), (std::vector<std::string>{"mail.from: required with mail.host"}));
  from.set = {"mail.transport=smtp", "sandbox.enabled=true"};
  CAF_CHECK_EQUAL(bad(),
                  (std::vector<std::string>{"--set mail.transport: the sandbox takes SMTP at sandbox.smtp_port only"}));
  from.set = {"sandbox.enabled=true", "http.port=8090"};
  CAF_CHECK_EQUAL(bad(), (std::vector<std::string>{"sandbox.port: is the same as http.port"}));
}

CAF_TEST(keys come as hex or base64url or from a file and leave as bytes) {
  const std::string raw{"\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22\23\24\25\26\27\30\31\32\33\34\35\36\37", 32};
  from.set = {"security.keys=" + long_key + ",AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="};
  const auto direct = good().security.keys;
  CAF_REQUIRE_EQUAL(direct.size(), 2u);
  CAF_CHECK_EQUAL(direct[0].reveal(), raw);
  CAF_CHECK_EQUAL(direct[1].reveal(), raw);

  const auto file =
      folder.write("keys", "# newest first\n\nICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8 \n" + long_key + "\r\n");
  from.set = {"security.keys_file=" + file.string()};
  const auto filed = good().security.keys;
  CAF_REQUIRE_EQUAL(filed.size(), 2u);
  CAF_CHECK_EQUAL(filed[0].reveal().front(), ' ');
  CAF_CHECK_EQUAL(filed[1].reveal(), raw);
}

CAF_TEST(bad keys are refused without being shown) {
  CAF_CHECK_EQUAL(bad_argument("security.keys=" + long_key.substr(2)),
                  "--set security.keys: expected at least 32 bytes each, in base64url or hex");
  CAF_CHECK_EQUAL(bad_argument("security.keys=correct horse battery staple correct horse battery staple"),
                  "--set security.keys: expected at least 32 bytes each, in base64url or hex");
  const auto file = folder.write("keys", long_key + "\nshort\n").string();
  CAF_CHECK_EQUAL(bad_argument("security.keys_file=" + file),
                  "keys:2: security.keys_file: expected a key of at least 32 bytes, in base64url or hex");
  CAF_CHECK_EQUAL(bad_argument("security.keys_file=" + folder.write("none", "#\n").string()),
                  "--set security.keys_file: the file holds no key");
  CAF_CHECK_EQUAL(bad_argument("security.keys_file=" + (folder.path() / "gone").string()),
                  "--set security.keys_file: cannot be read: No such file or directory");
  CAF_CHECK(
      bad_argument("security.keys_file=" + folder.path().string()).starts_with("--set security.keys_file: cannot"));
  from.environment["BACKSTAY_SECURITY_KEYS"] = long_key;
  CAF_CHECK_EQUAL(bad_argument("security.keys_file=" + file),
                  "--set security.keys_file: give either security.keys or security.keys_file, not both");
}

CAF_TEST(no complaint shows a secret) {
  for (const auto& row : declarations()) {
    if (!is_secret(row)) continue;
    const auto name = std::string{row.name};
    from.set = {name + "=hunter2 hunter2", name + "X=hunter2 hunter2"};
    from.environment[environment_name(name)] = "hunter2 hunter2\n";
    file(name + " = ['hunter2 hunter2', 3]\n");
    const auto lines = bad();
    CAF_CHECK(!lines.empty());
    for (const auto& line : lines) CAF_CHECK_EQUAL(line.find("hunter2"), std::string::npos);
  }
}

CAF_TEST(a complaint stays on one line) {
  const auto line = bad_argument("log.level=" + std::string(500, 'x') + "\n\x1b[31m");
  CAF_CHECK(line.size() < 200);
  CAF_CHECK_EQUAL(line.find('\n'), std::string::npos);
  CAF_CHECK_EQUAL(bad_argument("a\nb=1").find('\n'), std::string::npos);
}

CAF_TEST_FIXTURE_SCOPE_END()
