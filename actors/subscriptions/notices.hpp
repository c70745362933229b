#pragma once

#include "actors/notifications/store.hpp"
#include "actors/subscriptions/messages.hpp"

#include <string>

/// What owners are told about the end of their subscription, in Russian for locales that begin with "ru", else in
/// English. Pure.
namespace backstay::subscriptions::notices {

using notifications::store::notice;

/// It will be tried to renew it soon.
notice announced(const quote& what, timestamp ends_at, const std::string& locale);
notice renewed(const receipt& what, const std::string& locale);
/// It could not be renewed: the balance is `missing` short.
notice short_of(const quote& what, const money& missing, timestamp ends_at, const std::string& locale);
notice ends_soon(const std::string& plan_name, timestamp ends_at, const std::string& locale);
notice expired(const std::string& plan_name, const std::string& locale);

} // namespace backstay::subscriptions::notices
