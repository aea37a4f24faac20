#pragma once

#include <utility>

#include <tl/expected.hpp>

#include "base/error.h"

namespace acmetool
{

/// A value or an error. Functions that return one are effectively [[nodiscard]], enforced by clang-tidy's
/// bugprone-unused-return-value and the compiler's -Wunused-result.
template <class T>
using Result = tl::expected<T, Error>;

/// A failure without hint: fail(Errc::bad_input, "not a certificate request").
inline tl::unexpected<Error> fail(Errc code, std::string message, std::string hint = {}, Reason reason = {})
{
    Error error;
    error.code = code;
    error.message = std::move(message);
    error.hint = std::move(hint);
    error.reason = std::move(reason);
    return tl::unexpected<Error>(std::move(error));
}

inline tl::unexpected<Error> fail(Error error)
{
    return tl::unexpected<Error>(std::move(error));
}

} // namespace acmetool

/// ACMETOOL_TRY(csr, parse_csr(text)); declares `csr`, or returns the error of the expression.
#define ACMETOOL_TRY(var, expr)                                                                              \
    auto var##_result = (expr);                                                                              \
    if (!var##_result) return ::acmetool::fail(std::move(var##_result).error());                             \
    auto& var = *var##_result

/// The same for a Result<void>.
#define ACMETOOL_CHECK(expr)                                                                                 \
    do {                                                                                                     \
        auto check_result = (expr);                                                                          \
        if (!check_result) return ::acmetool::fail(std::move(check_result).error());                         \
    } while (false)
