#include "brski/status.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/body_text.h"
#include "base/text.h"

namespace acmetool::brski
{
namespace
{

using base::Json;

constexpr std::size_t kLargestStatus = 16 * 1024;
constexpr std::size_t kLongestReason = 500;

tl::unexpected<Error> bad_status(std::string_view why)
{
    return fail(Errc::bad_input, fmt::format("status message: {}", why), {}, "badStatus");
}

} // namespace

bool is_status_type(std::string_view content_type)
{
    const auto type = base::trim(content_type.substr(0, content_type.find(';')));
    return base::equals_ignoring_case(type, "application/json");
}

Result<Status> parse_status(std::string_view json, std::string* unknown)
{
    auto document = base::parse_json_object(base::trim_body(json), "status message", {kLargestStatus, 16});
    if (!document) return bad_status(document.error().message);
    Status status;
    bool version = false;
    bool told = false;
    for (const auto& [key, value] : document->items()) {
        const auto name = base::to_lower(key);
        if (name == "version") {
            version = value == 1 || value == "1";
        } else if (name == "status") {
            if (!value.is_boolean()) return bad_status("\"status\" must be true or false");
            status.status = value.get<bool>();
            told = true;
        } else if (name == "reason") {
            if (value.is_string()) status.reason = base::printable(value.get<std::string>(), kLongestReason);
        } else if (name == "reason-context") {
            if (value.is_object()) status.reason_context = base::to_text(value);
        } else if (unknown != nullptr) {
            *unknown += (unknown->empty() ? "" : ", ") + base::printable(key, 60);
        }
    }
    if (!version) return bad_status("\"version\" is not 1");
    if (!told) return bad_status("\"status\" is missing");
    return status;
}

std::string to_json(const Status& status)
{
    Json document{{"version", 1}, {"status", status.status}};
    if (!status.reason.empty()) document["reason"] = status.reason;
    if (!status.reason_context.empty())
        if (auto context = base::parse_json_object(status.reason_context, "reason-context"))
            document["reason-context"] = std::move(*context);
    return base::to_text(document);
}

} // namespace acmetool::brski
