#pragma once

#include "actors/wallet/store.hpp"

namespace backstay::wallet {

/// Fails as `internal` unless `what` names its cause and moves a positive amount between two different books: anything
/// else is a defect of the caller, and would mint money or hide it.
void check(const store::transfer& what);

} // namespace backstay::wallet
