#include "cli/inference.h"

#include <string_view>

namespace acmetool::cli
{
namespace
{

constexpr std::size_t kMost = 4096; // of each map: one whose ends were not seen does not grow for ever

template <class T>
void limit(T& entries)
{
    if (entries.size() >= kMost) entries.clear();
}

bool ends_validation(std::string_view label)
{
    return label.ends_with(" status=valid") || label.ends_with(" status=invalid");
}

} // namespace

std::vector<base::Message> Inference::before(const base::Message& message)
{
    const auto key = message.request_id + "\n" + message.url;
    if (message.to == "dns" || message.to == "web") {
        limit(places_);
        places_[message.detail] = message.to;
    } else if (message.to == "acme" && !message.detail.empty()) {
        limit(responded_);
        limit(open_);
        const bool responds = message.label == "POST /challenge";
        if (responds) responded_.insert(message.detail);
        if (responds || message.label == "POST /authz") open_[key] = message.detail;
    } else if (message.from == "acme") {
        const auto asked = open_.extract(key);
        if (asked.empty() || !ends_validation(message.label) || responded_.erase(asked.mapped()) == 0)
            return {};
        base::Message verify;
        verify.from = message.from;
        verify.label = "Verify";
        verify.detail = asked.mapped();
        const auto place = places_.extract(verify.detail);
        verify.to = place.empty() ? "dns" : place.mapped();
        verify.request_id = message.request_id;
        verify.inferred = true;
        return {verify};
    }
    return {};
}

} // namespace acmetool::cli
