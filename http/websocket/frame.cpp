#include "http/websocket/frame.hpp"

#include <algorithm>
#include <cstring>

namespace backstay::websocket {

namespace {

constexpr std::uint8_t final_bit = 0x80, reserved_bits = 0x70, opcode_bits = 0x0F, mask_bit = 0x80, length_bits = 0x7F;
constexpr std::uint8_t text_opcode = 1, close_opcode = 8, ping_opcode = 9, pong_opcode = 10;

void append_frame(std::string& out, std::uint8_t opcode, std::string_view payload) {
  out.push_back(static_cast<char>(final_bit | opcode));
  auto size = static_cast<std::uint64_t>(payload.size());
  auto append_length = [&](std::uint8_t marker, int bytes) {
    out.push_back(static_cast<char>(marker));
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(size >> shift));
  };
  if (size <= max_control_payload) out.push_back(static_cast<char>(size));
  else if (size <= 0xFFFF) append_length(126, 2);
  else append_length(127, 8);
  out.append(payload);
}

shared_frame encode(std::uint8_t opcode, std::string_view payload) {
  auto frame = std::make_shared<std::string>();
  frame->reserve(payload.size() + 10);
  append_frame(*frame, opcode, payload);
  return frame;
}

// XORs with the key, a word at a time, and leaves the key turned to where the next byte begins.
void unmask(std::span<char> bytes, std::array<std::uint8_t, 4>& key) {
  std::uint64_t word_key = 0;
  std::memcpy(&word_key, key.data(), 4);
  std::memcpy(reinterpret_cast<char*>(&word_key) + 4, key.data(), 4);
  std::size_t at = 0;
  for (; at + sizeof word_key <= bytes.size(); at += sizeof word_key) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    word ^= word_key;
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
  for (; at < bytes.size(); ++at) bytes[at] = static_cast<char>(bytes[at] ^ key[at % 4]);
  auto used = key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = used[(bytes.size() + i) % 4];
}

// RFC 6455 section 7.4 and IANA's registry: 1004–1006 and 1015 are for local use, 1016–2999 not assigned.
bool may_be_received(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

std::uint64_t big_endian(std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0;
  for (auto byte : bytes) value = value << 8 | byte;
  return value;
}

} // namespace

void append_text(std::string& out, std::string_view payload) { append_frame(out, text_opcode, payload); }

shared_frame encode_text(std::string_view payload) { return encode(text_opcode, payload); }

shared_frame encode_close(close_code code, std::string_view reason) {
  if (code == close_code::no_status || code == close_code::abnormal) return encode(close_opcode, {});
  auto size = std::min(reason.size(), max_control_payload - 2);
  while (size > 0 && size < reason.size() && (reason[size] & 0xC0) == 0x80) --size;
  auto value = static_cast<std::uint16_t>(code);
  std::string payload{static_cast<char>(value >> 8), static_cast<char>(value)};
  payload.append(reason.substr(0, size));
  return encode(close_opcode, payload);
}

const shared_frame& encode_ping() {
  static const auto frame = encode(ping_opcode, {});
  return frame;
}

shared_frame encode_pong(std::string_view payload) {
  return encode(pong_opcode, payload.substr(0, max_control_payload));
}

bool utf8_checker::feed(std::string_view piece) noexcept {
  for (std::size_t at = 0; at < piece.size(); ++at) {
    std::uint64_t word; // eight ASCII bytes at once
    while (missing_ == 0 && at + sizeof word <= piece.size()) {
      std::memcpy(&word, piece.data() + at, sizeof word);
      if ((word & 0x8080808080808080) != 0) break;
      at += sizeof word;
    }
    if (at == piece.size()) break;
    auto byte = static_cast<std::uint8_t>(piece[at]);
    if (missing_ > 0) {
      if (byte < low_ || byte > high_) return false;
      --missing_;
      low_ = 0x80;
      high_ = 0xBF;
    } else if (byte >= 0x80) {
      if (byte < 0xC2 || byte > 0xF4) return false;
      missing_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
      // The second byte's bounds exclude overlong forms, surrogates and what lies above U+10FFFF.
      low_ = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
      high_ = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF;
    }
  }
  return true;
}

std::optional<event> parser::next(std::span<char>& input) {
  if (delivered_) {
    std::string{}.swap(is_control() ? control_ : message_);
    delivered_ = false;
  }
  while (!input.empty() || (stage_ == stage::payload && remaining_ == 0)) {
    if (stage_ == stage::finished) {
      input = {};
    } else if (stage_ == stage::header) {
      if (!read_header(input)) continue;
      if (auto found = open_frame()) return found;
    } else if (auto found = read_payload(input)) {
      return found;
    }
  }
  return std::nullopt;
}

// True when the header is complete; its size is known from the second byte on.
bool parser::read_header(std::span<char>& input) {
  while (!input.empty() && (received_ < 2 || received_ < header_size())) {
    header_[received_++] = static_cast<std::uint8_t>(input.front());
    input = input.subspan(1);
    // A fault in the first two bytes is answered at once, however long the rest of the header takes to come.
    if (received_ == 2 && check_start()) return true;
  }
  return received_ >= 2 && received_ == header_size();
}

std::size_t parser::header_size() const noexcept {
  auto length = header_[1] & length_bits;
  return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + mask_.size();
}

// RFC 6455 sections 5.2, 5.4 and 5.5: what the first two bytes alone tell.
std::optional<event> parser::check_start() const {
  auto violation = [](close_code code, std::string_view why) { return event{event_kind::violation, why, code}; };
  auto code = header_[0] & opcode_bits;
  if ((header_[0] & reserved_bits) != 0) return violation(close_code::protocol_error, "reserved bit set");
  if ((code > 2 && code < 8) || code > 10) return violation(close_code::protocol_error, "unknown opcode");
  if ((header_[1] & mask_bit) == 0) return violation(close_code::protocol_error, "frame not masked");
  if (code >= 8) {
    if ((header_[0] & final_bit) == 0) return violation(close_code::protocol_error, "fragmented control frame");
    if ((header_[1] & length_bits) > max_control_payload)
      return violation(close_code::protocol_error, "control frame too long");
  } else if (code == static_cast<int>(opcode::continuation)) {
    if (!in_message_) return violation(close_code::protocol_error, "continuation without a message");
  } else if (in_message_) {
    return violation(close_code::protocol_error, "new message inside a fragmented one");
  } else if (code == static_cast<int>(opcode::binary)) {
    return violation(close_code::unsupported, "binary message");
  }
  return std::nullopt;
}

// Takes the header in; the length is judged here, before a byte of payload is kept.
std::optional<event> parser::open_frame() {
  if (auto fault = check_start()) return fail(fault->code, fault->payload);
  auto short_length = static_cast<std::uint64_t>(header_[1] & length_bits);
  auto extended = std::span{header_}.subspan(2, header_size() - 2 - mask_.size());
  remaining_ = extended.empty() ? short_length : big_endian(extended);
  if (remaining_ >> 63 != 0) return fail(close_code::protocol_error, "top bit of the length set");
  if ((short_length == 126 && remaining_ < 126) || (short_length == 127 && remaining_ <= 0xFFFF))
    return fail(close_code::protocol_error, "length not in its shortest form");
  opcode_ = static_cast<opcode>(header_[0] & opcode_bits);
  if (!is_control() && remaining_ > message_limit_ - message_.size())
    return fail(close_code::too_big, "message too big");
  final_ = (header_[0] & final_bit) != 0;
  std::copy_n(header_.begin() + static_cast<std::ptrdiff_t>(header_size() - mask_.size()), mask_.size(), mask_.begin());
  if (opcode_ == opcode::text) utf8_.reset();
  if (!is_control()) in_message_ = true;
  received_ = 0;
  stage_ = stage::payload;
  return std::nullopt;
}

// A payload that lies whole in the input is handed out from there; otherwise its pieces are gathered.
std::optional<event> parser::read_payload(std::span<char>& input) {
  auto piece = input.first(static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size())));
  input = input.subspan(piece.size());
  remaining_ -= piece.size();
  unmask(piece, mask_);
  std::string_view payload{piece.data(), piece.size()};
  if (!is_control() && !utf8_.feed(payload)) return fail(close_code::invalid_payload, "text is not UTF-8");
  auto ends_here = remaining_ == 0 && (is_control() || final_);
  auto& gathered = is_control() ? control_ : message_;
  if (!ends_here || !gathered.empty()) {
    gathered.append(payload);
    payload = gathered;
  }
  if (remaining_ == 0) stage_ = stage::header;
  if (!ends_here) return std::nullopt;
  delivered_ = true;
  if (is_control()) return finish_control(payload);
  in_message_ = false;
  if (!utf8_.is_complete()) return fail(close_code::invalid_payload, "text is not UTF-8");
  return event{event_kind::text, payload};
}

event parser::finish_control(std::string_view payload) {
  if (opcode_ == opcode::ping) return {event_kind::ping, payload};
  if (opcode_ == opcode::pong) return {event_kind::pong, payload};
  if (payload.size() == 1) return fail(close_code::protocol_error, "close code cut short");
  stage_ = stage::finished;
  if (payload.empty()) return {event_kind::close, {}, close_code::no_status};
  std::array<std::uint8_t, 2> code_bytes{static_cast<std::uint8_t>(payload[0]), static_cast<std::uint8_t>(payload[1])};
  auto code = static_cast<std::uint16_t>(big_endian(code_bytes));
  if (!may_be_received(code)) return fail(close_code::protocol_error, "close code not allowed");
  utf8_checker reason;
  payload.remove_prefix(2);
  if (!reason.feed(payload) || !reason.is_complete())
    return fail(close_code::invalid_payload, "close reason is not UTF-8");
  return {event_kind::close, payload, static_cast<close_code>(code)};
}

event parser::fail(close_code code, std::string_view why) {
  stage_ = stage::finished;
  std::string{}.swap(message_);
  std::string{}.swap(control_);
  return {event_kind::violation, why, code};
}

} // namespace backstay::websocket
