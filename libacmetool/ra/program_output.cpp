#include "ra/program_output.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/problem.h"
#include "base/json.h"
#include "base/text.h"

namespace acmetool::ra
{
namespace
{

using base::Json;

constexpr std::chrono::seconds kDefaultDelay{5};
constexpr std::chrono::seconds kLongestDelay{std::chrono::hours{1}};
constexpr int kDeferred = 75;
constexpr int kBadInput = 65;
constexpr int kRefused = 77;

/// How long a document asks to wait; nothing where it does not say, at most a day.
std::optional<std::chrono::seconds> retry_after_of(const std::optional<Json>& document)
{
    if (!document) return std::nullopt;
    const auto seconds = document->find("retryAfter");
    if (seconds == document->end() || !seconds->is_number_unsigned()) return std::nullopt;
    constexpr std::uint64_t kDay = 86'400;
    return std::chrono::seconds{std::min(seconds->get<std::uint64_t>(), kDay)};
}

/// An error document as an error: its problem decides, else the exit status.
Error error_of(const base::Filtered& run, const std::optional<Json>& document, const std::string& program)
{
    Error error;
    error.code = run.status == kRefused    ? Errc::refused
                 : run.status == kBadInput ? Errc::bad_input
                                           : Errc::internal;
    error.reason = run.status == kRefused ? "programRefused" : "programFailed";
    std::string message;
    if (document) {
        message = base::string_member(*document, "message").value_or("");
        if (const auto member = document->find("problem"); member != document->end()) {
            const auto text = member->is_string() ? member->get<std::string>() : base::to_text(*member);
            if (const auto problem = acme::parse_problem(text)) {
                error = acme::to_error(*problem, text, 0, std::nullopt);
                if (message.empty()) message = error.message;
            }
        }
        error.retry_after = retry_after_of(document);
    }
    if (message.empty()) message = fmt::format("exit status {}", run.status);
    error.message = fmt::format("{}: {}", program, base::printable(message));
    return error;
}

} // namespace

Result<ProgramOutcome> read_program_output(const base::Filtered& run, const std::string& program)
{
    std::optional<Json> document;
    if (auto parsed = base::parse_json_object(run.output, program)) document = std::move(*parsed);
    if (run.status == kDeferred)
        return NotYet{std::clamp(retry_after_of(document).value_or(kDefaultDelay), std::chrono::seconds{1},
                                 kLongestDelay)};
    if (run.status != 0) return fail(error_of(run, document, program));
    const auto pem = document ? base::string_member(*document, "fullchain") : std::optional{run.output};
    if (!pem) return fail(Errc::protocol, fmt::format("{}: its document has no \"fullchain\"", program));
    auto chain = crypto::parse_pem_chain(*pem);
    if (!chain) return fail(with_context(std::move(chain).error(), program));
    return ProgramOutcome{std::move(*chain)};
}

} // namespace acmetool::ra
