#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// RFC 6455 on one moved socket: frames, the opening handshake and the server's session.
namespace backstay::websocket {

/// Why a connection ends: RFC 6455 section 7.4.1 and IANA's registry of close codes. A peer may also send 3000–4999.
enum class close_code : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported = 1003,
  no_status = 1005, ///< never on the wire: the close frame had no code
  abnormal = 1006,  ///< never on the wire: the connection was lost without a close frame
  invalid_payload = 1007,
  policy_violation = 1008,
  too_big = 1009,
  internal_error = 1011,
  service_restart = 1012,
  try_again_later = 1013,
};

/// One or more encoded frames, made once and shared by every socket they go to.
using shared_frame = std::shared_ptr<const std::string>;

/// Longest payload of a control frame, in bytes (RFC 6455 section 5.5).
inline constexpr std::size_t max_control_payload = 125;

/// Appends one unmasked text frame, so that a burst of events becomes one `shared_frame`. `payload` must be UTF-8.
void append_text(std::string& out, std::string_view payload);

/// One unmasked text frame. `payload` must be UTF-8.
shared_frame encode_text(std::string_view payload);

/// A close frame. `no_status` and `abnormal` make it empty; a longer `reason` (UTF-8) is cut to whole code points in
/// 123 bytes.
shared_frame encode_close(close_code code, std::string_view reason = {});

/// A ping frame without payload; always the same object.
const shared_frame& encode_ping();

/// A pong frame; `payload` is the ping's, at most `max_control_payload` bytes.
shared_frame encode_pong(std::string_view payload);

/// Checks UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF) in pieces of any size.
class utf8_checker {
public:
  /// Takes the next piece; false at the first byte that no valid text can hold, after which only `reset` helps.
  bool feed(std::string_view piece) noexcept;

  /// True between code points.
  bool is_complete() const noexcept { return missing_ == 0; }

  /// Starts a new text.
  void reset() noexcept { *this = {}; }

private:
  std::uint8_t missing_ = 0; // continuation bytes still to come
  std::uint8_t low_ = 0x80;  // bounds of the next one
  std::uint8_t high_ = 0xBF;
};

/// What the parser found.
enum class event_kind : std::uint8_t {
  text,      ///< a whole message; `payload` is its text
  ping,      ///< `payload` belongs into the pong
  pong,      ///< `payload` is what the peer repeats
  close,     ///< the peer's close frame: `code` (`no_status` if it was empty) and the reason in `payload`
  violation, ///< the peer broke the protocol: answer with `code`; `payload` is a constant English text
};

/// One finding; `payload` is valid until the next call of `parser::next` and as long as the input bytes.
struct event {
  event_kind kind = event_kind::violation;
  std::string_view payload;
  close_code code = close_code::no_status;
};

/// Reads a client's frames in pieces of any size. Text only: a binary message is refused with 1003.
/// Holds no memory between messages, and never more than it received: an announced length is compared with the limit
/// before anything grows. Not thread-safe.
class parser {
public:
  /// `message_limit`: longest message in bytes, all its fragments together; longer ones are refused with 1009.
  explicit parser(std::size_t message_limit = 64 * 1024) noexcept : message_limit_(message_limit) {}

  /// Consumes `input` from its front, unmasking in place, up to the next event; none when all is consumed.
  /// After `close` and `violation` the rest is swallowed: nothing may follow them (RFC 6455 section 5.5.1).
  std::optional<event> next(std::span<char>& input);

private:
  enum class opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };
  enum class stage : std::uint8_t { header, payload, finished };

  bool read_header(std::span<char>& input);
  std::optional<event> check_start() const;
  std::optional<event> open_frame();
  std::optional<event> read_payload(std::span<char>& input);
  event finish_control(std::string_view payload);
  event fail(close_code code, std::string_view why);
  bool is_control() const noexcept { return static_cast<std::uint8_t>(opcode_) >= 8; }
  std::size_t header_size() const noexcept;

  std::size_t message_limit_;
  std::uint64_t remaining_ = 0; // payload bytes of this frame still to come
  std::string message_;         // what arrived of a message that came in more than one piece
  std::string control_;         // the same for a control frame
  std::array<std::uint8_t, 14> header_{};
  std::array<std::uint8_t, 4> mask_{}; // rotated so that its first byte belongs to the next payload byte
  std::uint8_t received_ = 0;          // bytes in header_
  opcode opcode_ = opcode::continuation;
  stage stage_ = stage::header;
  utf8_checker utf8_;
  bool final_ = false;
  bool in_message_ = false; // a fragmented message is under way
  bool delivered_ = false;  // message_ or control_ was handed out by the last call
};

} // namespace backstay::websocket
