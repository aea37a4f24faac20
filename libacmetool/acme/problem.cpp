#include "acme/problem.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "base/word.h"
#include "http/retry_after.h"

namespace acmetool::acme
{
namespace
{

using base::Json;
using base::printable;

constexpr std::string_view kNamespace = "urn:ietf:params:acme:error:";
constexpr std::size_t kMostSubproblems = 100;

/// The meaning of each type of RFC 8555 section 6.7 and a hint for the operator.
struct Meaning {
    std::string_view word;
    Errc code;
    std::string_view hint;
};
constexpr std::array<Meaning, 26> kMeanings{{
    {"accountDoesNotExist", Errc::refused,
     "the CA knows no account with this key: run acme-account register"},
    {"alreadyReplaced", Errc::refused, "another order already replaced the certificate"},
    {"alreadyRevoked", Errc::refused, "nothing remains to be done"},
    {"badCSR", Errc::bad_input, "create a request that the CA accepts (key type and size, names)"},
    {"badNonce", Errc::unavailable, "the CA repeatedly refused its own nonces; run the same command again"},
    {"badPublicKey", Errc::bad_input, "create a key of another type or size"},
    {"badRevocationReason", Errc::bad_input, "give another reason"},
    {"badSignatureAlgorithm", Errc::refused, "create an account key of a type that the CA accepts"},
    {"caa", Errc::refused,
     "a CAA record of the domain forbids it: acme-preauth caa-record prints one that allows it"},
    {"compound", Errc::refused, ""},
    {"connection", Errc::refused, "the CA could not connect to the validation target"},
    {"dns", Errc::refused, "the CA's DNS query failed: check the answers of the authoritative servers"},
    {"externalAccountRequired", Errc::refused, "this CA requires an external account binding"},
    {"incorrectResponse", Errc::refused, "the CA found another value: check for an old record or file"},
    {"invalidContact", Errc::bad_input, "give another contact URL"},
    {"invalidProfile", Errc::bad_input, "choose one of the profiles listed in the directory"},
    {"malformed", Errc::refused, "the CA could not parse the request"},
    {"orderNotReady", Errc::temporary, "the order is not ready yet; run the same command again"},
    {"rateLimited", Errc::rate_limited, "wait until the time given, and send fewer requests"},
    {"rejectedIdentifier", Errc::refused, "the CA does not issue for this name"},
    {"serverInternal", Errc::unavailable, "the CA failed; run the same command again later"},
    {"tls", Errc::refused, "the CA's TLS connection to the validation target failed"},
    {"unauthorized", Errc::refused,
     "the account lacks the authorization, or was deactivated: acme-account show prints its state"},
    {"unsupportedContact", Errc::bad_input, "give a mailto: contact"},
    {"unsupportedIdentifier", Errc::refused, "the CA does not issue for identifiers of this type"},
    {"userActionRequired", Errc::refused, "visit the URL given"},
}};

std::optional<Problem> read_problem(const Json& object, bool nested)
{
    if (!object.is_object()) return std::nullopt;
    Problem problem;
    problem.type = base::string_member(object, "type").value_or("about:blank");
    problem.title = base::string_member(object, "title").value_or("");
    problem.detail = base::string_member(object, "detail").value_or("");
    problem.instance = base::string_member(object, "instance").value_or("");
    if (const auto identifier = object.find("identifier"); identifier != object.end())
        problem.identifier = base::string_member(*identifier, "value").value_or("");
    if (const auto algorithms = object.find("algorithms");
        algorithms != object.end() && algorithms->is_array())
        for (const auto& algorithm : *algorithms)
            if (algorithm.is_string()) problem.algorithms.push_back(algorithm.get<std::string>());
    if (const auto list = object.find("subproblems"); !nested && list != object.end() && list->is_array())
        for (const auto& entry : *list) {
            if (problem.subproblems.size() == kMostSubproblems) break;
            if (auto subproblem = read_problem(entry, true))
                problem.subproblems.push_back(std::move(*subproblem));
        }
    return problem;
}

/// The form of "code" in docs/schema/error.json.
bool is_reason(std::string_view word)
{
    return base::is_word(word) && word.front() >= 'a' && word.front() <= 'z' &&
           word.find_first_of("-_") == std::string_view::npos;
}

Errc code_of_status(int status, bool retry_after)
{
    if (status == 429) return Errc::rate_limited;
    if (status == 503 && retry_after) return Errc::temporary;
    if (status >= 500) return Errc::unavailable;
    return Errc::refused;
}

/// The hint for a failure without a problem document, which says nothing about its cause but the status.
std::string hint_of_status(int status)
{
    if (status == 429)
        return "the CA, or a proxy in front of it, asks for fewer requests: wait, then run it again";
    if (status >= 500) return "the CA, or a proxy in front of it, failed: run the same command again later";
    return "check that the URL belongs to an ACME server and not to a proxy in front of it";
}

/// True if the CA says that the account is of no more use. Servers say so with "unauthorized" (RFC 8555
/// section 7.3.6), and nothing but their text tells this from other causes.
bool blames_account(const Problem& problem)
{
    const auto text = base::to_lower(problem.detail);
    const auto has = [&](std::string_view word) { return text.find(word) != std::string::npos; };
    return problem.word() == "unauthorized" && has("account") && (has("deactivated") || has("revoked"));
}

} // namespace

std::string_view Problem::word() const
{
    std::string_view word = type;
    if (word.starts_with(kNamespace)) word.remove_prefix(kNamespace.size());
    return word;
}

std::optional<Problem> parse_problem(std::string_view json)
{
    const auto object = base::parse_json(json, "problem document");
    return object ? read_problem(*object, false) : std::nullopt;
}

std::string describe(const Problem& problem)
{
    std::string text = printable(problem.word());
    const auto& words = problem.detail.empty() ? problem.title : problem.detail;
    if (!words.empty()) text += fmt::format(": {}", printable(words));
    for (const auto& sub : problem.subproblems)
        text +=
            fmt::format("; {}: {}", sub.identifier.empty() ? "(no identifier)" : printable(sub.identifier),
                        describe(sub));
    return text;
}

Error to_error(const Problem& problem, std::string_view raw, int status,
               std::optional<std::chrono::seconds> retry_after)
{
    Error error;
    error.message = describe(problem);
    error.problem_type = problem.type;
    error.problem = raw;
    error.retry_after = retry_after;
    // The reason is a word for scripts; any other type of the CA is only in the message.
    if (problem.type.starts_with(kNamespace) && is_reason(problem.word())) error.reason = problem.word();
    error.code = code_of_status(status, retry_after.has_value());
    const auto* const meaning = std::find_if(kMeanings.begin(), kMeanings.end(),
                                             [&](const Meaning& m) { return m.word == problem.word(); });
    if (meaning != kMeanings.end()) {
        // A 503 with Retry-After is "not yet", whatever its type.
        if (error.code != Errc::temporary && error.code != Errc::rate_limited) error.code = meaning->code;
        error.hint = meaning->hint;
    }
    if (blames_account(problem))
        error.hint =
            "the account was deactivated or revoked, which is permanent: register a new one with another "
            "--account and another key";
    if (!problem.algorithms.empty())
        error.hint += fmt::format(" (it accepts {})", printable(base::join(problem.algorithms, ", ")));
    if (!problem.instance.empty()) error.hint += fmt::format(": {}", printable(problem.instance));
    return error;
}

Error error_of(const http::Response& response, base::TimePoint now)
{
    std::optional<std::chrono::seconds> retry_after;
    if (const auto value = http::find(response.headers, "retry-after"))
        retry_after = http::parse_retry_after(*value, now);
    // The content type is ignored, because servers and their proxies send problem documents with others.
    Error error;
    if (const auto problem = parse_problem(response.body)) {
        error = to_error(*problem, response.body, response.status, retry_after);
        error.message = fmt::format("HTTP {}: {}", response.status, error.message);
    } else {
        error.code = code_of_status(response.status, retry_after.has_value());
        error.message = fmt::format("HTTP {} without a problem document", response.status);
        if (const auto words = base::trim(response.body); !words.empty())
            error.message += fmt::format(": {}", printable(words, 200));
        error.hint = hint_of_status(response.status);
        if (response.status == 429) error.reason = Cause::rate_limited;
        error.retry_after = retry_after;
    }
    if (error.code == Errc::refused && error.reason == Cause::user_action_required)
        for (const auto& [name, value] : response.headers)
            if (name == "link" && value.find("terms-of-service") != std::string::npos)
                error.hint += fmt::format("; terms of service: {}", printable(value));
    return error;
}

} // namespace acmetool::acme
