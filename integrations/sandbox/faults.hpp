#pragma once

#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace backstay::sandbox {

/// What happens to the webhooks that a fake sends.
enum class webhook_mode {
  deliver,
  drop,
  duplicate,
  /// One is held back until the next has gone, or for two seconds.
  reorder,
};

NLOHMANN_JSON_SERIALIZE_ENUM(webhook_mode, {{webhook_mode::deliver, "deliver"},
                                            {webhook_mode::drop, "drop"},
                                            {webhook_mode::duplicate, "duplicate"},
                                            {webhook_mode::reorder, "reorder"}})

/// How one fake misbehaves; the default is not at all. Rates are probabilities, 0 to 1.
struct faults {
  /// Passes before a call is executed.
  int latency_ms = 0;
  /// Calls answered 503 without being executed.
  double error_rate = 0;
  /// Calls executed, whose connection is then closed without an answer.
  double lose_answer_rate = 0;
  webhook_mode webhooks = webhook_mode::deliver;
};

template <class Json>
void to_json(Json& j, const faults& f) {
  j = {{"latency_ms", f.latency_ms},
       {"error_rate", f.error_rate},
       {"lose_answer_rate", f.lose_answer_rate},
       {"webhooks", f.webhooks}};
}

template <class Json>
void from_json(const Json& j, faults& f) {
  j.at("latency_ms").get_to(f.latency_ms);
  j.at("error_rate").get_to(f.error_rate);
  j.at("lose_answer_rate").get_to(f.lose_answer_rate);
  j.at("webhooks").get_to(f.webhooks);
}

/// True with that probability; 0 and 1 are certain.
inline bool happens(double probability) {
  static std::mt19937 generator{std::random_device{}()};
  return std::uniform_real_distribution<>{}(generator) < probability;
}

} // namespace backstay::sandbox
