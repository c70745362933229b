#include "integrations/sandbox/smtp.hpp"

#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/streambuf.hpp>
#include <asio/write.hpp>

#include <istream>
#include <sodium.h>
#include <stdexcept>
#include <string_view>

namespace backstay::sandbox {

namespace {

using asio::ip::tcp;

constexpr std::size_t largest_message = 1'048'576;

std::string from_base64(std::string_view text) {
  std::string bytes(text.size(), '\0');
  std::size_t size = 0;
  sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(), text.size(), "\r\n",
                    &size, nullptr, sodium_base64_VARIANT_ORIGINAL);
  bytes.resize(size);
  return bytes;
}

/// What stands between `before` and `after`, at or behind `at`; moves `at` behind it. Nothing: empty.
std::string_view cut(std::string_view text, std::size_t& at, std::string_view before, std::string_view after) {
  const auto begin = text.find(before, at);
  if (begin == text.npos) return {};
  const auto end = text.find(after, begin + before.size());
  if (end == text.npos) return {};
  at = end;
  return text.substr(begin + before.size(), end - begin - before.size());
}

/// A header of the message's head, unfolded.
std::string header(const std::string& head, const std::string& name) {
  const auto lines = "\r\n" + head;
  const auto begin = lines.find("\r\n" + name + ": ");
  if (begin == lines.npos) return {};
  auto value = lines.substr(begin + name.size() + 4);
  std::size_t end = 0;
  while ((end = value.find("\r\n", end)) != value.npos)
    if (value.compare(end + 2, 1, " ") == 0) value.erase(end, 2); // a folded line goes on
    else return value.substr(0, end);
  return value;
}

/// Encoded words (RFC 2047) of base64; the spaces between them are none.
std::string decoded(std::string_view text) {
  std::string result;
  for (;;) {
    constexpr std::string_view opening = "=?UTF-8?B?";
    const auto begin = text.find(opening);
    const auto end = begin == text.npos ? begin : text.find("?=", begin + opening.size());
    if (end == text.npos) return result += text;
    if (begin > 0 && text.substr(0, begin).find_first_not_of(' ') != text.npos) result += text.substr(0, begin);
    result += from_base64(text.substr(begin + opening.size(), end - begin - opening.size()));
    text.remove_prefix(end + 2);
  }
}

std::string part_of(const std::string& message, const std::string& type) {
  std::size_t at = 0;
  const auto content = cut(message, at, "Content-Type: " + type, "\r\n--");
  const auto body = content.find("\r\n\r\n");
  return body == content.npos ? std::string{} : from_base64(content.substr(body + 4));
}

/// "<ada@example.com>" of "TO:<ada@example.com> SIZE=1".
std::string path_of(const std::string& argument) {
  std::size_t at = 0;
  return std::string{cut(argument, at, "<", ">")};
}

/// A connection: one line in, one reply out.
class session : public std::enable_shared_from_this<session> {
public:
  session(tcp::socket socket, world& w, std::string user, std::string password, std::function<void(received_mail)> keep)
      : socket_(std::move(socket)), world_(w), user_(std::move(user)), password_(std::move(password)),
        keep_(std::move(keep)) {}

  void start() { say("220 sandbox ESMTP"); }

private:
  void read() {
    asio::async_read_until(socket_, buffer_, "\r\n", [self = shared_from_this()](asio::error_code error, std::size_t) {
      if (error) return;
      std::string line;
      std::istream input{&self->buffer_};
      std::getline(input, line);
      if (line.ends_with('\r')) line.pop_back();
      self->take(line);
    });
  }

  void say(const std::string& reply, bool is_last = false) {
    auto text = std::make_shared<std::string>(reply + "\r\n");
    asio::async_write(socket_, asio::buffer(*text),
                      [self = shared_from_this(), text, is_last](asio::error_code error, std::size_t) {
                        if (!error && !is_last) self->read();
                      });
  }

  void take(const std::string& line) {
    if (in_data_) return take_data(line);
    if (awaited_) return std::exchange(awaited_, nullptr)(*this, line);
    const auto verb = lower_case(line.substr(0, line.find_first_of(" :")));
    if (verb == "ehlo") return say("250-sandbox\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN");
    if (verb == "auth") return authenticate(line);
    if (verb == "noop") return say("250 OK");
    if (verb == "rset") return reset(), say("250 OK");
    if (verb == "quit") return say("221 Bye", true);
    if (!is_known_) return say("530 5.7.0 Authentication required");
    if (verb == "mail") return reset(), from_ = path_of(line), say(from_.empty() ? "501 No sender" : "250 OK");
    if (verb == "rcpt") return add_recipient(path_of(line));
    if (verb == "data") return begin_data();
    say("502 5.5.1 Not known here");
  }

  /// "AUTH PLAIN <base64>", or with the credentials in the next lines.
  void authenticate(const std::string& line) {
    const auto initial = line.size() > 11 ? line.substr(11) : std::string{};
    if (line.starts_with("AUTH PLAIN")) {
      if (!initial.empty()) return check_plain(initial);
      awaited_ = [](session& s, const std::string& answer) { s.check_plain(answer); };
      return say("334 ");
    }
    awaited_ = [](session& s, const std::string& name) {
      s.claimed_ = from_base64(name);
      s.awaited_ = [](session& t, const std::string& word) { t.check(t.claimed_, from_base64(word)); };
      s.say("334 UGFzc3dvcmQ6");
    };
    say("334 VXNlcm5hbWU6");
  }

  void check_plain(const std::string& encoded) {
    const auto text = from_base64(encoded); // identity NUL user NUL password (RFC 4616)
    const auto first = text.find('\0'), second = text.find('\0', first + 1);
    if (second == text.npos) return say("501 5.5.2 Malformed");
    check(text.substr(first + 1, second - first - 1), text.substr(second + 1));
  }

  void check(const std::string& user, const std::string& password) {
    is_known_ = same_secret(user, user_) && same_secret(password, password_);
    say(is_known_ ? "235 2.7.0 Welcome" : "535 5.7.8 Wrong user or password");
  }

  void add_recipient(std::string address) {
    if (from_.empty()) return say("503 5.5.1 MAIL first");
    if (address.find('@') == address.npos) return say("550 5.1.3 No such address");
    to_.push_back(std::move(address));
    say("250 OK");
  }

  void begin_data() {
    if (to_.empty()) return say("503 5.5.1 RCPT first");
    in_data_ = true;
    message_.clear();
    say("354 Go on, end with a dot");
  }

  void take_data(const std::string& line) {
    if (line != ".") {
      message_ += (line.starts_with("..") ? line.substr(1) : line) + "\r\n"; // RFC 5321, 4.5.2
      if (message_.size() > largest_message) return say("552 5.3.4 Too large", true);
      return read();
    }
    in_data_ = false;
    const auto latency = std::chrono::milliseconds(faults().latency_ms);
    world_.later(latency, [self = shared_from_this()] { self->conclude(); });
  }

  void conclude() {
    if (happens(faults().error_rate)) return say("451 4.3.0 A fault that the sandbox was asked for");
    auto mail = read_message(message_);
    mail.from = from_;
    mail.to = to_;
    keep_(std::move(mail));
    if (happens(faults().lose_answer_rate)) return; // with the last owner the connection ends
    say("250 2.0.0 Queued");
  }

  void reset() {
    from_.clear();
    to_.clear();
  }

  backstay::sandbox::faults& faults() { return world_.faulty["mail"]; }

  tcp::socket socket_;
  world& world_;
  std::string user_, password_;
  std::function<void(received_mail)> keep_;
  asio::streambuf buffer_{64 * 1024};
  bool is_known_ = false, in_data_ = false;
  void (*awaited_)(session&, const std::string&) = nullptr; ///< takes the next line, which is no command
  std::string claimed_, from_, message_;
  std::vector<std::string> to_;
};

} // namespace

received_mail read_message(const std::string& message) {
  const auto head = message.substr(0, message.find("\r\n\r\n"));
  return {.message_id = header(head, "Message-ID"),
          .subject = decoded(header(head, "Subject")),
          .text = part_of(message, "text/plain"),
          .html = part_of(message, "text/html")};
}

class smtp_server::listener : public std::enable_shared_from_this<listener> {
public:
  listener(world& w, std::uint16_t port, std::string user, std::string password,
           std::function<void(received_mail)> keep)
      : world_(w), user_(std::move(user)), password_(std::move(password)), keep_(std::move(keep)) {
    try {
      const tcp::endpoint here{asio::ip::make_address(w.given.address), port};
      acceptor_.open(here.protocol());
      acceptor_.set_option(tcp::acceptor::reuse_address{true});
      acceptor_.bind(here);
      acceptor_.listen();
    } catch (const std::system_error& error) {
      throw std::invalid_argument("the SMTP port " + std::to_string(port) +
                                  " cannot be used: " + error.code().message());
    }
  }

  void accept() {
    acceptor_.async_accept([self = shared_from_this()](asio::error_code error, tcp::socket socket) {
      if (error) return;
      std::make_shared<session>(std::move(socket), self->world_, self->user_, self->password_, self->keep_)->start();
      self->accept();
    });
  }

  void close() {
    asio::error_code ignored;
    acceptor_.close(ignored);
  }

private:
  world& world_;
  std::string user_, password_;
  std::function<void(received_mail)> keep_;
  tcp::acceptor acceptor_{world_.context};
};

smtp_server::smtp_server(world& w, std::uint16_t port, std::string user, std::string password,
                         std::function<void(received_mail)> keep)
    : listener_(std::make_shared<listener>(w, port, std::move(user), std::move(password), std::move(keep))) {
  listener_->accept();
}

smtp_server::~smtp_server() { listener_->close(); }

} // namespace backstay::sandbox
