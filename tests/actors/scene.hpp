#pragma once

#include "actors/kernel/context.hpp"
#include "actors/kernel/outcome.hpp"
#include "tests/actors/scripted_database.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "caf/test/dsl.hpp"

namespace backstay {

/// One actor under test with a scripted database, under CAF's deterministic scheduler.
struct scene : test_coordinator_fixture<> {
  /// Background loops would keep the scheduler busy for ever: everybody leaves before it is emptied.
  ~scene() {
    for (auto& actor : cast) caf::anon_send_exit(actor, caf::exit_reason::kill);
    consume_messages();
  }

  template <class Actor>
  Actor on_stage(Actor actor) {
    cast.push_back(caf::actor_cast<caf::actor>(actor));
    consume_messages();
    return actor;
  }

  template <class Actor, class Message>
  outcome<typename Message::reply> ask(const Actor& actor, Message message) {
    outcome<typename Message::reply> result;
    auto response = self->request(actor, caf::infinite, std::move(message));
    consume_messages();
    response.receive([&](typename Message::reply& reply) { result = std::move(reply); },
                     [&](const caf::error& error) { result = describe(error); });
    return result;
  }

  /// The answer; fails the test if there is none.
  template <class Actor, class Message>
  typename Message::reply answer_of(const Actor& actor, Message message) {
    auto result = ask(actor, std::move(message));
    return value_of(result);
  }

  /// What it fails with; `none` if it does not.
  template <class Actor, class Message>
  fault fault_of(const Actor& actor, Message message) {
    auto result = ask(actor, std::move(message));
    auto* what_failed = std::get_if<fault>(&result);
    return what_failed ? *what_failed : fault{.code = ec::none};
  }

  std::vector<caf::actor> cast;
  scripted_database database;
  clock_handle clock = std::make_shared<domain_clock>();
  vitals_ptr pulse = std::make_shared<vitals>("tested", true);
  domain_context context{pulse, clock, on_stage(database.spawn(sys))};
};

} // namespace backstay
