#pragma once

#include "actors/kernel/error.hpp"

#include <utility>
#include <variant>

namespace backstay {

/// What a database job returns when its effects must be committed although it fails (a counted guess, a revoked
/// session): a thrown fault would roll them back.
template <class T>
using outcome = std::variant<T, fault>;

/// The value; throws the fault if there is none.
template <class T>
T& value_of(outcome<T>& result) {
  if (auto* what_failed = std::get_if<fault>(&result)) fail(std::move(*what_failed));
  return std::get<T>(result);
}

} // namespace backstay
