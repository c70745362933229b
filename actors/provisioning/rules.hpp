#pragma once

#include "actors/kernel/clock.hpp"
#include "actors/kernel/error.hpp"
#include "actors/provisioning/messages.hpp"
#include "integrations/panel/messages.hpp"

#include <optional>
#include <string_view>
#include <vector>

/// Decisions about what the panel keeps: pure, callable from any thread.
namespace backstay::provisioning::rules {

/// What a template's type means to the panel: one of its own names, or what people call the same ("v2ray", "xray",
/// "sing-box", "clash_meta"), without regard to case.
std::optional<panel::template_kind> kind_of(std::string_view type);

/// All that the panel would refuse a template for.
std::vector<problem> problems_of(const create_template& wish);

struct period {
  timestamp start, end;
  bool operator==(const period&) const = default;
};

/// From when to when traffic is counted: since `since` until the panel's next reset, and never past `expires_at`.
period traffic_period(panel::traffic_reset reset, timestamp since, timestamp expires_at, timestamp now);

/// The calendar month around `now`, in UTC: for whoever has no period of his own.
period month_of(timestamp now);

} // namespace backstay::provisioning::rules
