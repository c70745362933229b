#include "integrations/sandbox/state_file.hpp"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <unistd.h>

namespace backstay::sandbox {

namespace {

using namespace std::chrono_literals;

constexpr auto shortest_pause = 200ms;

/// Writing takes at most one part in this many of the time.
constexpr int writing_share = 10;

bool write_private(const std::filesystem::path& path, std::string_view text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  ssize_t written = 0;
  while (!text.empty() && (written = ::write(file, text.data(), text.size())) > 0)
    text.remove_prefix(static_cast<std::size_t>(written));
  return ::close(file) == 0 && text.empty();
}

} // namespace

state_file::state_file(const std::filesystem::path& directory, std::function<json()> snapshot,
                       std::function<void(std::chrono::milliseconds, std::function<void()>)> later)
    : snapshot_(std::move(snapshot)), later_(std::move(later)) {
  if (directory.empty()) return;
  std::filesystem::create_directories(directory);
  path_ = directory / "sandbox.json";
}

json state_file::load() const {
  std::ifstream file(path_);
  return file ? json::parse(file) : json();
}

void state_file::set_aside() const {
  std::error_code ignored;
  std::filesystem::rename(path_, path_.string() + ".broken", ignored);
  std::fprintf(stderr, "backstay sandbox: %s is not a state and was set aside\n", path_.c_str());
}

void state_file::touch() {
  if (path_.empty() || std::exchange(touched_, true)) return;
  later_(pause_, [this] { flush(); });
}

void state_file::flush() {
  if (!std::exchange(touched_, false)) return;
  const auto begin = std::chrono::steady_clock::now();
  write();
  const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  pause_ = std::max<std::chrono::milliseconds>(shortest_pause, writing_share * taken);
}

void state_file::write() {
  const auto next = path_.string() + ".new";
  std::error_code error;
  if (write_private(next, dump(snapshot_()))) std::filesystem::rename(next, path_, error);
  else error = std::make_error_code(std::errc::io_error);
  if (error) std::fprintf(stderr, "backstay sandbox: %s cannot be written\n", path_.c_str());
}

} // namespace backstay::sandbox
