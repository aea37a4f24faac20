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

/// What each type of RFC 8555 section 6.7 means to us, and what the operator can do about it.
struct Meaning {
    std::string_view word;
    Errc code;
    std::string_view hint;
};
constexpr std::array<Meaning, 26> kMeanings{{
    {"accountDoesNotExist", Errc::refused, "the CA knows no account with this key: acme-account register"},
    {"alreadyReplaced", Errc::refused, "the certificate was replaced by another order already"},
    {"alreadyRevoked", Errc::refused, "nothing is left to do"},
    {"badCSR", Errc::bad_input, "make a request that the CA takes (key type and size, names)"},
    {"badNonce", Errc::unavailable, "the CA kept refusing its own nonces; run the same command again"},
    {"badPublicKey", Errc::bad_input, "make a key of another type or size"},
    {"badRevocationReason", Errc::bad_input, "name another reason"},
    {"badSignatureAlgorithm", Errc::refused, "make an account key of a type that the CA takes"},
    {"caa", Errc::refused,
     "a CAA record at the domain forbids it: acme-preauth caa-record prints one that allows it"},
    {"compound", Errc::refused, ""},
    {"connection", Errc::refused, "the CA could not reach the validation target"},
    {"dns", Errc::refused, "the CA's DNS query failed: ask the authoritative servers what they answer"},
    {"externalAccountRequired", Errc::refused, "this CA wants an external account binding"},
    {"incorrectResponse", Errc::refused, "the CA found another value: is an old record or file still there?"},
    {"invalidContact", Errc::bad_input, "give another contact URL"},
    {"invalidProfile", Errc::bad_input, "ask for one of the profiles that the directory lists"},
    {"malformed", Errc::refused, "the CA could not make sense of the request"},
    {"orderNotReady", Errc::temporary, "the order is not ready yet; run the same command again"},
    {"rateLimited", Errc::rate_limited, "wait until the time given, and ask for less"},
    {"rejectedIdentifier", Errc::refused, "the CA will not issue for this name"},
    {"serverInternal", Errc::unavailable, "the CA failed; run the same command again later"},
    {"tls", Errc::refused, "the CA's TLS connection to the validation target failed"},
    {"unauthorized", Errc::refused, "the account lacks the authorization: is it the right account?"},
    {"unsupportedContact", Errc::bad_input, "give a mailto: contact"},
    {"unsupportedIdentifier", Errc::refused, "the CA issues for no identifier of this type"},
    {"userActionRequired", Errc::refused, "a person has to visit the URL given"},
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

/// As docs/schema/error.json has "code".
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
    // The reason is a word for scripts; what the CA made up in place of one is in the message.
    if (problem.type.starts_with(kNamespace) && is_reason(problem.word())) error.reason = problem.word();
    error.code = code_of_status(status, retry_after.has_value());
    const auto* const meaning = std::find_if(kMeanings.begin(), kMeanings.end(),
                                             [&](const Meaning& m) { return m.word == problem.word(); });
    if (meaning != kMeanings.end()) {
        // A 503 that says when to come back is "not yet", whatever type it bears.
        if (error.code != Errc::temporary && error.code != Errc::rate_limited) error.code = meaning->code;
        error.hint = meaning->hint;
    }
    if (!problem.algorithms.empty())
        error.hint += fmt::format(" (it takes {})", printable(base::join(problem.algorithms, ", ")));
    if (!problem.instance.empty()) error.hint += fmt::format(": {}", printable(problem.instance));
    return error;
}

Error error_of(const http::Response& response, base::TimePoint now)
{
    std::optional<std::chrono::seconds> retry_after;
    if (const auto value = http::find(response.headers, "retry-after"))
        retry_after = http::parse_retry_after(*value, now);
    // The content type is not relied on: servers and proxies in front of them send problem documents under
    // others.
    Error error;
    if (const auto problem = parse_problem(response.body)) {
        error = to_error(*problem, response.body, response.status, retry_after);
        error.message = fmt::format("HTTP {}: {}", response.status, error.message);
    } else {
        error.code = code_of_status(response.status, retry_after.has_value());
        error.message = fmt::format("HTTP {} without a problem document", response.status);
        if (const auto words = base::trim(response.body); !words.empty())
            error.message += fmt::format(": {}", printable(words, 200));
        error.hint = "is the URL that of an ACME server, and not of a proxy in front of it?";
        error.retry_after = retry_after;
    }
    if (error.code == Errc::refused && error.reason == Cause::user_action_required)
        for (const auto& [name, value] : response.headers)
            if (name == "link" && value.find("terms-of-service") != std::string::npos)
                error.hint += fmt::format("; terms of service: {}", printable(value));
    return error;
}

} // namespace acmetool::acme
