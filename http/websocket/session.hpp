#pragma once

#include "http/websocket/frame.hpp"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace backstay::websocket {

class session;

/// What every session of one io_context is held to.
struct limits {
  std::size_t message_bytes = 64 * 1024;          ///< longest message from the peer; longer ones: close 1009
  std::size_t outbox_bytes = 64 * 1024;           ///< most that may wait for a slow reader; above: close 1013
  double messages_per_second = 10;                ///< messages, pings and pongs from the peer; above: close 1008
  double message_burst = 20;                      ///< how many of them may come at once
  std::chrono::milliseconds ping_period{25'000};  ///< the connection is cut when two pings in a row stay unanswered
  std::chrono::milliseconds close_timeout{5'000}; ///< how long the peer may take for the closing handshake
  int send_buffer_bytes = 48 * 1024; ///< SO_SNDBUF: without it the kernel keeps megabytes for a stalled reader
  std::chrono::milliseconds unacknowledged{25'000}; ///< TCP_USER_TIMEOUT: how long sent bytes may stay unconfirmed
};

/// What all sessions of an io_context share: the timer of pings and closing handshakes, and the write at the end of a
/// turn. Both periods are the same for everyone, so two queues in order of time are enough. The timer runs only while
/// there are sessions. Used only on the thread that runs the io_context; sessions keep it alive, and the io_context
/// outlives both.
class heartbeat : public std::enable_shared_from_this<heartbeat> {
public:
  using clock = std::chrono::steady_clock;

  /// `context` must be run by a single thread.
  explicit heartbeat(asio::io_context& context, limits held_to = {});

  /// The io_context of the sessions.
  asio::io_context& context() noexcept { return context_; }

  /// What the sessions are held to.
  const limits& held_to() const noexcept { return held_to_; }

private:
  friend class session;

  struct appointment {
    clock::time_point due;
    std::weak_ptr<session> who;
  };

  void keep_beating(const std::shared_ptr<session>& who); // pings it every period for as long as it lives
  void end_later(const std::shared_ptr<session>& who);    // cuts it off unless it closes within the time limit
  void flush_later(std::weak_ptr<session> who);           // at the end of this turn
  void flush_all();
  void arm();
  void tick();

  asio::io_context& context_;
  const limits held_to_;
  std::deque<appointment> beats_;
  std::deque<appointment> ends_;
  std::vector<std::weak_ptr<session>> unsent_;
  asio::steady_timer timer_;
  clock::time_point wakes_at_ = clock::time_point::max();
};

/// The server's side of one WebSocket (RFC 6455) on a connected socket whose upgrade was answered, or whose answer is
/// the first thing sent. Text messages only; no extensions. All members but `post` are called on the thread that runs
/// the io_context, and none of them calls back: both callbacks come from that thread's own turns. Sent frames leave
/// together at the end of the turn. An idle session holds no buffers.
class session : public std::enable_shared_from_this<session> {
public:
  /// Whom the session tells. They may hold the session itself, as they are let go when it has closed.
  struct callbacks {
    /// A whole message, valid during the call. An exception closes with 1011.
    std::function<void(std::string_view text)> on_text;
    /// Once, at the end: the code and reason of whoever closed first, `abnormal` if the connection was lost. Not
    /// called when the io_context ends before the session.
    std::function<void(close_code code, std::string_view reason)> on_closed;
  };

  /// `socket` belongs to the heartbeat's io_context. `lease` is released when the socket closes: what must live or be
  /// counted as long as the connection does.
  session(asio::ip::tcp::socket socket, std::shared_ptr<heartbeat> pulse, std::shared_ptr<void> lease = nullptr);

  /// Sets the socket's options and begins to read. Once.
  void start(callbacks tell);

  /// Sends frames in order; nothing once closing has begun. If more waits than the outbox may hold, and the kernel
  /// takes none of it, what waits is dropped and the session closes with 1013: the client resumes later.
  void send(shared_frame frame);

  /// Like `send`, for the latest state of something: replaces, in its place, a frame of the same `key` that still
  /// waits. Keys are the owner's own numbers.
  void send_latest(std::uint64_t key, shared_frame frame);

  /// Begins the closing handshake behind what already waits; the first call counts. `reason`: at most 123 bytes of
  /// UTF-8, longer ones are cut.
  void close(close_code code, std::string_view reason = {});

  /// Bytes that wait in the outbox, with what keeping them costs; 0 when the peer keeps up.
  std::size_t get_waiting_bytes() const noexcept { return waiting_bytes_; }

  /// True until closing begins.
  bool is_open() const noexcept { return phase_ == phase::open; }

  /// Runs `task(session&)` on the session's thread. The only member for other threads.
  template <class Task>
  void post(Task task) {
    asio::post(pulse_->context(), [self = shared_from_this(), task = std::move(task)]() mutable { task(*self); });
  }

private:
  friend class heartbeat;

  enum class phase : std::uint8_t {
    open,
    closing,  // our close frame is under way; the peer's is awaited or being answered
    draining, // the peer broke the protocol: what it still sends is read only to be dropped
    closed,
  };
  enum class kind : std::uint8_t { event, state, ping, pong, close };
  struct entry {
    shared_frame frame;
    std::uint64_t key;
    kind what;
  };

  void wait_readable();
  void read();
  void take(std::span<char> bytes);
  void handle(const event& found);
  void handle_text(std::string_view text);
  void handle_end(const event& found);
  bool take_token();

  bool replace(kind what, std::uint64_t key, shared_frame& frame);
  void enqueue(kind what, std::uint64_t key, shared_frame frame);
  void enqueue_control(kind what, shared_frame frame);
  void drop_waiting();
  void request_flush();
  void flush();
  void wait_writable();
  std::size_t gather(std::span<asio::const_buffer> pieces) const;
  void remove_written(std::size_t bytes);

  void beat();
  void begin_close(phase next, close_code code, std::string_view reason);
  void fail(phase next, close_code code, std::string_view reason);
  void follow_close();
  void lose(const std::error_code& cause);
  void abort();
  void finish();
  void tell_closed();

  asio::ip::tcp::socket socket_;
  std::shared_ptr<heartbeat> pulse_;
  std::shared_ptr<void> lease_;
  callbacks tell_;
  parser parser_;
  std::vector<entry> outbox_;
  std::size_t waiting_bytes_ = 0;
  std::size_t written_of_first_ = 0; // bytes of the first entry that are sent: it can be neither replaced nor dropped
  std::string reason_;               // of the end, with code_
  double tokens_;
  heartbeat::clock::time_point tokens_at_;
  close_code code_ = close_code::abnormal;
  phase phase_ = phase::open;
  std::uint8_t unanswered_pings_ = 0;
  bool flush_requested_ = false; // posted, or waiting until the socket takes more
  bool peer_closed_ = false;     // its close frame came
  bool close_sent_ = false;
};

} // namespace backstay::websocket
