#include "actors/kernel/domain.hpp"

#include "config/log.hpp"

#include <thread>

namespace backstay {

void begin_message(vitals& pulse) {
  pulse.handled.fetch_add(1, std::memory_order_relaxed);
  if (pulse.ordered.load(std::memory_order_relaxed) == drill::none) return;
  auto ordered = pulse.ordered.exchange(drill::none);
  if (ordered == drill::stall) std::this_thread::sleep_for(std::chrono::milliseconds{500});
  if (ordered != drill::none) throw std::runtime_error{"drill"};
}

void install_guard_rails(caf::scheduled_actor* self, vitals_ptr pulse) {
  self->set_exception_handler([pulse](std::exception_ptr& pointer) -> caf::error {
    std::string cause = "unknown exception";
    try {
      std::rethrow_exception(pointer);
    } catch (const std::exception& exception) {
      cause = exception.what();
    } catch (...) {
    }
    pulse->note_cause(cause);
    return caf::sec::runtime_error;
  });
  self->set_error_handler([pulse](caf::scheduled_actor*, caf::error& error) {
    log::error(pulse->name, "an answer failed that nobody waited for", {{"cause", to_string(describe(error).code)}});
  });
  self->set_default_handler([pulse](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
    log::error(pulse->name, "got a message that it does not know");
    return caf::sec::unexpected_message;
  });
}

} // namespace backstay
