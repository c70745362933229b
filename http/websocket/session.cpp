#include "http/websocket/session.hpp"

#include <algorithm>
#include <array>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <utility>

namespace backstay::websocket {

namespace {

using asio::ip::tcp;

// Enough for a message of an app's size at once; a longer one takes several turns, so that nobody starves the others.
constexpr std::size_t read_size = 16 * 1024;

// One sendmsg takes this many pieces at most (Asio's own bound as well).
constexpr std::size_t gather_size = 64;

// An empty outbox keeps room for so many entries.
constexpr std::size_t kept_entries = 4;

// A peer is gone when so many pings in a row stayed unanswered.
constexpr int missed_pongs = 2;

// Every session of a thread reads through this buffer, and only within one function call.
thread_local std::array<char, read_size> read_buffer;

// What keeping a frame in an outbox costs beside its bytes, so that many tiny frames do not escape the limit.
constexpr std::size_t entry_cost = 32;

std::size_t cost(const shared_frame& frame) { return frame->size() + entry_cost; }

} // namespace

heartbeat::heartbeat(asio::io_context& context, limits held_to)
    : context_(context), held_to_(held_to), timer_(context) {}

void heartbeat::keep_beating(const std::shared_ptr<session>& who) {
  beats_.push_back({clock::now() + held_to_.ping_period, who});
  arm();
}

void heartbeat::end_later(const std::shared_ptr<session>& who) {
  ends_.push_back({clock::now() + held_to_.close_timeout, who});
  arm();
}

// Wakes for the earliest appointment, but at most fifty times a period however many there are.
void heartbeat::arm() {
  auto next = clock::time_point::max();
  for (auto* queue : {&beats_, &ends_})
    if (!queue->empty()) next = std::min(next, queue->front().due);
  if (next >= wakes_at_) return;
  wakes_at_ = std::max(next, clock::now() + std::min(held_to_.ping_period, held_to_.close_timeout) / 50);
  timer_.expires_at(wakes_at_);
  timer_.async_wait([weak = weak_from_this()](const std::error_code& cancelled) {
    if (auto self = weak.lock(); self && !cancelled) self->tick();
  });
}

void heartbeat::tick() {
  auto now = clock::now();
  auto take_due = [now](std::deque<appointment>& queue) {
    std::shared_ptr<session> who;
    while (!who && !queue.empty() && queue.front().due <= now) {
      who = queue.front().who.lock();
      queue.pop_front();
    }
    return who;
  };
  while (auto who = take_due(ends_)) who->abort();
  while (auto who = take_due(beats_)) {
    who->beat();
    if (who->phase_ != session::phase::closed) beats_.push_back({now + held_to_.ping_period, who});
  }
  wakes_at_ = clock::time_point::max();
  arm();
}

// One posted handler for all sessions is cheaper than one each: a broadcast posts once.
void heartbeat::flush_later(std::weak_ptr<session> who) {
  if (unsent_.empty()) asio::post(context_, [self = shared_from_this()] { self->flush_all(); });
  unsent_.push_back(std::move(who));
}

void heartbeat::flush_all() {
  for (const auto& one : std::exchange(unsent_, {}))
    if (auto who = one.lock()) {
      who->flush_requested_ = false;
      who->flush();
    }
}

session::session(tcp::socket socket, std::shared_ptr<heartbeat> pulse, std::shared_ptr<void> lease)
    : socket_(std::move(socket)), pulse_(std::move(pulse)), lease_(std::move(lease)),
      parser_(pulse_->held_to().message_bytes), tokens_(pulse_->held_to().message_burst),
      tokens_at_(heartbeat::clock::now()) {}

void session::start(callbacks tell) {
  tell_ = std::move(tell);
  // A refused option costs speed or promptness, not correctness; a dead socket shows at the first read.
  std::error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::send_buffer_size(pulse_->held_to().send_buffer_bytes), ignored);
  auto unacknowledged = static_cast<unsigned>(pulse_->held_to().unacknowledged.count());
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged, sizeof unacknowledged);
  pulse_->keep_beating(shared_from_this());
  wait_readable();
}

void session::send(shared_frame frame) {
  if (is_open()) enqueue(kind::event, 0, std::move(frame));
}

void session::send_latest(std::uint64_t key, shared_frame frame) {
  if (is_open()) enqueue(kind::state, key, std::move(frame));
}

void session::close(close_code code, std::string_view reason) { begin_close(phase::closing, code, reason); }

// ---- reading ----

// Waits without a buffer: memory is needed only when there is something to read.
void session::wait_readable() {
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const std::error_code& failed) {
    if (failed) self->lose(failed);
    else self->read();
  });
}

void session::read() {
  if (phase_ == phase::closed) return;
  std::error_code failed;
  auto size = socket_.read_some(asio::buffer(read_buffer), failed);
  if (failed && failed != asio::error::would_block) return lose(failed);
  take(std::span{read_buffer}.first(size));
  if (phase_ != phase::closed) wait_readable();
}

void session::take(std::span<char> bytes) {
  while (phase_ == phase::open || phase_ == phase::closing) {
    auto found = parser_.next(bytes);
    if (!found) return;
    handle(*found);
  }
}

void session::handle(const event& found) {
  if (found.kind == event_kind::violation || found.kind == event_kind::close) return handle_end(found);
  if (!is_open()) return;
  if (!take_token()) return fail(phase::closing, close_code::policy_violation, "too many messages");
  if (found.kind == event_kind::text) handle_text(found.payload);
  else if (found.kind == event_kind::ping) enqueue_control(kind::pong, encode_pong(found.payload));
  else unanswered_pings_ = 0;
}

void session::handle_text(std::string_view text) {
  try {
    if (tell_.on_text) tell_.on_text(text);
  } catch (const std::exception& thrown) {
    spdlog::error("websocket: a message could not be handled: {}", thrown.what());
    close(close_code::internal_error, "internal error");
  }
}

// Nothing follows a close frame or a violation: while open it is answered, later it stands for the peer's answer.
void session::handle_end(const event& found) {
  auto violated = found.kind == event_kind::violation;
  peer_closed_ = !violated || !is_open();
  if (is_open()) fail(violated ? phase::draining : phase::closing, found.code, found.payload);
  else if (close_sent_) finish();
}

// A bucket that refills steadily. Control frames count too: each costs an answer or a wake.
bool session::take_token() {
  auto now = heartbeat::clock::now();
  const auto& held_to = pulse_->held_to();
  auto refill = std::chrono::duration<double>(now - tokens_at_).count() * held_to.messages_per_second;
  tokens_ = std::min(held_to.message_burst, tokens_ + refill);
  tokens_at_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

// ---- sending ----

bool session::replace(kind what, std::uint64_t key, shared_frame& frame) {
  auto replaceable = std::span{outbox_}.subspan(written_of_first_ > 0 ? 1 : 0);
  auto same = std::ranges::find_if(replaceable, [&](const entry& e) { return e.what == what && e.key == key; });
  if (same == replaceable.end()) return false;
  waiting_bytes_ += cost(frame) - cost(same->frame);
  same->frame = std::move(frame);
  return true;
}

void session::enqueue(kind what, std::uint64_t key, shared_frame frame) {
  if (what != kind::state || !replace(what, key, frame)) {
    waiting_bytes_ += cost(frame);
    outbox_.push_back({std::move(frame), key, what});
  }
  const auto limit = pulse_->held_to().outbox_bytes;
  // A burst within one turn is not yet a slow reader: the kernel gets its chance first.
  if (waiting_bytes_ > limit) flush();
  if (waiting_bytes_ > limit) fail(phase::closing, close_code::try_again_later, "slow reader");
  request_flush();
}

// Pings and pongs overtake what waits; of each kind only the latest matters (RFC 6455 section 5.5.3).
void session::enqueue_control(kind what, shared_frame frame) {
  if (!replace(what, 0, frame)) {
    waiting_bytes_ += cost(frame);
    outbox_.insert(outbox_.begin() + (written_of_first_ > 0 ? 1 : 0), {std::move(frame), 0, what});
  }
  request_flush();
}

// Drops all but a frame of which a part is already sent.
void session::drop_waiting() {
  outbox_.erase(outbox_.begin() + (written_of_first_ > 0 ? 1 : 0), outbox_.end());
  waiting_bytes_ = outbox_.empty() ? 0 : cost(outbox_.front().frame) - written_of_first_;
}

// Gathers what is sent within one turn into one write.
void session::request_flush() {
  if (flush_requested_ || outbox_.empty()) return;
  flush_requested_ = true;
  pulse_->flush_later(weak_from_this());
}

void session::flush() {
  std::array<asio::const_buffer, gather_size> pieces;
  while (!outbox_.empty()) {
    auto gathered = std::span{pieces}.first(gather(pieces));
    std::error_code failed;
    auto written = socket_.write_some(gathered, failed);
    if (failed && failed != asio::error::would_block) return lose(failed);
    remove_written(written);
    if (written < asio::buffer_size(gathered)) return wait_writable();
  }
  if (outbox_.capacity() > kept_entries) std::vector<entry>{}.swap(outbox_);
  if (close_sent_) follow_close();
}

// Continues when the socket takes more.
void session::wait_writable() {
  if (flush_requested_) return;
  flush_requested_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const std::error_code& failed) {
    self->flush_requested_ = false;
    if (failed) self->lose(failed);
    else self->flush();
  });
}

// Fills `pieces` with the front of the outbox and returns how many there are.
std::size_t session::gather(std::span<asio::const_buffer> pieces) const {
  auto count = std::min(pieces.size(), outbox_.size());
  for (std::size_t i = 0; i < count; ++i) pieces[i] = asio::buffer(*outbox_[i].frame);
  pieces[0] += written_of_first_;
  return count;
}

void session::remove_written(std::size_t bytes) {
  waiting_bytes_ -= bytes;
  written_of_first_ += bytes;
  auto sent = outbox_.begin();
  for (; sent != outbox_.end() && written_of_first_ >= sent->frame->size(); ++sent) {
    written_of_first_ -= sent->frame->size();
    waiting_bytes_ -= entry_cost;
    close_sent_ |= sent->what == kind::close;
  }
  outbox_.erase(outbox_.begin(), sent);
}

// ---- ending ----

void session::beat() {
  if (!is_open()) return;
  if (unanswered_pings_ == missed_pongs) {
    reason_ = "pings not answered";
    return abort();
  }
  ++unanswered_pings_;
  enqueue_control(kind::ping, encode_ping());
}

void session::begin_close(phase next, close_code code, std::string_view reason) {
  if (!is_open()) return;
  phase_ = next;
  code_ = code;
  reason_ = reason;
  auto frame = encode_close(code, reason);
  waiting_bytes_ += cost(frame);
  outbox_.push_back({std::move(frame), 0, kind::close});
  request_flush();
  pulse_->end_later(shared_from_this());
}

void session::fail(phase next, close_code code, std::string_view reason) {
  if (is_open()) drop_waiting();
  begin_close(next, code, reason);
}

// Our close frame is out. The server closes first, but not before the peer's own close frame; a peer whose frames
// cannot be read any more gets our end of stream and has to close itself (RFC 6455 section 7.1.1).
void session::follow_close() {
  std::error_code ignored;
  if (peer_closed_) finish();
  else if (phase_ == phase::draining) socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void session::lose(const std::error_code& cause) {
  if (is_open()) reason_ = cause.message();
  finish();
}

// Resets the connection, so that the kernel does not go on sending to a peer that does not listen.
void session::abort() {
  std::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  finish();
}

void session::finish() {
  if (phase_ == phase::closed) return;
  phase_ = phase::closed;
  std::vector<entry>{}.swap(outbox_);
  waiting_bytes_ = 0;
  std::error_code ignored;
  socket_.close(ignored);
  lease_.reset();
  asio::post(pulse_->context(), [self = shared_from_this()] { self->tell_closed(); });
}

// In a turn of its own: the owner may be in the middle of a walk over its sessions, or of `on_text`.
void session::tell_closed() {
  auto tell = std::exchange(tell_, {});
  try {
    if (tell.on_closed) tell.on_closed(code_, reason_);
  } catch (const std::exception& thrown) {
    spdlog::error("websocket: the end of a connection could not be handled: {}", thrown.what());
  }
}

} // namespace backstay::websocket
