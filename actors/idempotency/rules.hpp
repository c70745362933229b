#pragma once

#include "actors/idempotency/store.hpp"

#include <chrono>

namespace backstay::idempotency {

/// How long a key and its answer are kept (contract's ruling 17).
inline constexpr std::chrono::hours lifetime{24};
/// How long a running request keeps others with its key away; longer than any request may take.
inline constexpr std::chrono::seconds lease{60};

/// Fails as `invalid` unless the key is 1–255 visible ASCII characters.
void check_key(const std::string& key);

/// What the asker may do with the key: go on, give the stored answer again, or neither (see `claim_key`).
claimed judge(const store::record& key, timestamp now);

} // namespace backstay::idempotency
