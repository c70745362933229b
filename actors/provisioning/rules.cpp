#include "actors/provisioning/rules.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace backstay::provisioning::rules {

namespace {

using namespace std::chrono;
using panel::template_kind;
using panel::traffic_reset;

constexpr std::array<std::pair<std::string_view, template_kind>, 4> everyday_names{
    {{"v2ray", template_kind::xray_json},
     {"xray", template_kind::xray_json},
     {"sing-box", template_kind::singbox},
     {"clash_meta", template_kind::mihomo}}};

bool is_name(std::string_view name) {
  constexpr auto allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- ";
  return name.size() >= 2 && name != "Default" && name.find_first_not_of(allowed) == name.npos;
}

sys_days first_of(year_month month) { return sys_days{month / 1}; }

/// The same day of the next month, or its last where that is too short.
sys_days month_after(sys_days day) {
  const year_month_day date{day};
  const auto next = date.year() / date.month() + months{1};
  return sys_days{next / std::min(date.day(), (next / last).day())};
}

timestamp next_reset(traffic_reset reset, timestamp since, timestamp now) {
  const auto today = floor<days>(now);
  const year_month_day date{today};
  switch (reset) {
  case traffic_reset::never:
    return timestamp::max();
  case traffic_reset::daily:
    return today + days{1};
  case traffic_reset::weekly:
    return today + days{7} - (weekday{today} - Monday);
  case traffic_reset::monthly:
    return first_of(date.year() / date.month() + months{1});
  case traffic_reset::rolling:
    return month_after(floor<days>(since));
  }
  return timestamp::max();
}

} // namespace

std::optional<template_kind> kind_of(std::string_view type) {
  std::string name{type};
  std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; });
  if (const auto own = from_name<template_kind>(name)) return own;
  const auto everyday =
      std::find_if(everyday_names.begin(), everyday_names.end(), [&](const auto& each) { return each.first == name; });
  return everyday == everyday_names.end() ? std::nullopt : std::optional{everyday->second};
}

std::vector<problem> problems_of(const create_template& wish) {
  std::vector<problem> all;
  if (!is_name(wish.name))
    all.push_back({{"body", "name"},
                   "Should have 2 to 100 letters, digits, spaces, dashes or underscores, and not be Default",
                   "value_error"});
  if (!kind_of(wish.type))
    all.push_back({{"body", "template_type"},
                   "Should be xray_json (or v2ray, xray), mihomo (or clash_meta), stash, clash or singbox",
                   "value_error"});
  return all;
}

period traffic_period(traffic_reset reset, timestamp since, timestamp expires_at, timestamp now) {
  const auto end = std::min(next_reset(reset, since, now), expires_at);
  return {std::min(since, end), end};
}

period month_of(timestamp now) {
  const year_month_day date{floor<days>(now)};
  const auto month = date.year() / date.month();
  return {first_of(month), first_of(month + months{1})};
}

} // namespace backstay::provisioning::rules
