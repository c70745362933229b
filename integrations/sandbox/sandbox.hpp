#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace backstay::sandbox {

/// What an instance is started with. The keys are what the production clients are configured with.
struct options {
  /// A loopback address; any other is refused.
  std::string address = "127.0.0.1";
  /// 0 takes a free port.
  std::uint16_t port = 8090;
  /// Where webhooks go, such as `http://127.0.0.1:8080`, without a slash at the end.
  std::string backend;
  /// Directory of the state file `sandbox.json`; empty keeps the state in memory only.
  std::filesystem::path data;
  std::string cryptobot_token;
  std::string panel_token;
  std::string panel_webhook_secret;
  std::string mail_key;
  /// Where mail is also taken by SMTP, from `smtp_user` with `mail_key` as its password; 0 is nowhere.
  std::uint16_t smtp_port = 0;
  std::string smtp_user = "sandbox";
  /// At every provider of sign-ins; our id there is `sandbox-<provider>`.
  std::string oauth_client_secret = {};
  std::string telegram_bot_token = {};
  /// At every other payment provider: our key, and what signs webhooks.
  std::string payment_key = {};
  /// JSON `{"url","token"}` that a server writes about its control port. Read afresh at each use: servers come and go.
  std::filesystem::path control_file;
};

/// Fakes of every outside system, on loopback, speaking their real HTTP APIs, from one thread.
///
/// Each fake is below a path of its own, `/panel/api/users`; what moves the fakes is below `/sandbox`.
class sandbox {
public:
  /// Loads the state, binds the port and serves.
  /// @throws std::invalid_argument for an address that is not loopback, std::filesystem::filesystem_error when the data
  /// directory cannot be made, std::system_error when the port cannot be bound.
  explicit sandbox(const options& given);
  /// Stops serving and writes the state.
  ~sandbox();
  sandbox(const sandbox&) = delete;
  sandbox& operator=(const sandbox&) = delete;

  /// `http://127.0.0.1:8090`, with the port that is bound.
  std::string url() const;

private:
  class instance;
  std::unique_ptr<instance> instance_;
};

/// Runs an instance until SIGTERM or SIGINT; prints one line when it listens, or why it does not.
/// @returns 0, 75 when the port is taken (`EX_TEMPFAIL`), 78 for an option that cannot be used (`EX_CONFIG`).
int run(const options& given);

} // namespace backstay::sandbox
