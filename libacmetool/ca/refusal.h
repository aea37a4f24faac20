#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/result.h"

/// How the CA says no.
namespace acmetool::ca
{

/// A problem on its way to the client (RFC 8555 section 6.7).
struct Refusal {
    int status;
    std::string type; ///< word without the URN
    std::string detail;
    base::Json subproblems = base::Json::array();
    std::optional<std::string> retry_after = {};
    bool lists_algorithms = false; ///< the document names those that are accepted
    std::string instance = {};     ///< where a person has to go
    std::vector<std::pair<std::string, std::string>> headers = {}; ///< besides, "Link" or "Location"
    std::string cause = {};                                        ///< for the request log only
};

template <class T>
using Answer = tl::expected<T, Refusal>;

/// The problem document.
base::Json problem_of(const Refusal& refusal);

tl::unexpected<Refusal> refuse(int status, std::string type, std::string detail);
/// An error of our own: 503 with Retry-After if something cannot be read or written, else 500.
tl::unexpected<Refusal> broken(const Error& error);

/// Too much waits already: 503 with Retry-After.
tl::unexpected<Refusal> overloaded();

#define CA_TRY(var, expr)                                                                                    \
    auto var##_answer = (expr);                                                                              \
    if (!var##_answer) return tl::unexpected(std::move(var##_answer).error());                               \
    auto& var = *var##_answer

#define CA_STORE(expr)                                                                                       \
    do {                                                                                                     \
        if (auto stored = (expr); !stored) return broken(stored.error());                                    \
    } while (false)

} // namespace acmetool::ca
