#pragma once

#include "integrations/sandbox/world.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace backstay::sandbox {

/// A mail as it came by SMTP, taken apart.
struct received_mail {
  std::string message_id, from, subject, text, html;
  std::vector<std::string> to;
};

/// Reads a message (RFC 5322) with text and HTML as base64 alternatives, which is how our server writes them.
received_mail read_message(const std::string& message);

/// An SMTP server (RFC 5321) on loopback, without TLS, with AUTH PLAIN and LOGIN. The faults of `mail` apply to it.
class smtp_server {
public:
  /// Takes mails for whoever shows `user` and `password`, and gives them to `keep`, on the world's thread.
  /// @throws std::invalid_argument when the port cannot be had.
  smtp_server(world& w, std::uint16_t port, std::string user, std::string password,
              std::function<void(received_mail)> keep);
  ~smtp_server();

private:
  class listener;
  std::shared_ptr<listener> listener_;
};

} // namespace backstay::sandbox
