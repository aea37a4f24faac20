#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

/// The only JSON parser: all JSON from peers and files is parsed here, strictly (RFC 8259) and with limits.
namespace acmetool::base
{

using Json = nlohmann::json;

struct JsonLimits {
    std::size_t bytes = 1U << 20U; ///< longer texts are refused without parsing
    std::size_t depth = 64;        ///< nesting of arrays and objects
};

/// Parses one JSON text.
///
/// Errors: bad_input for anything over the limits, a member name that occurs twice in one object, data after
/// the value, invalid UTF-8. `what` names the text in the message ("order", "acct.json").
ACMETOOL_EXPORT Result<Json> parse_json(std::string_view text, std::string_view what, JsonLimits limits = {});

/// Parses a JSON text that must be an object.
ACMETOOL_EXPORT Result<Json> parse_json_object(std::string_view text, std::string_view what,
                                               JsonLimits limits = {});

/// The member `name` of `object` if it is a string; nothing if it is absent, null or of another type.
ACMETOOL_EXPORT std::optional<std::string> string_member(const Json& object, std::string_view name);

/// The member `name` of `object`, which must be a string; else bad_input that names `what` and the member.
ACMETOOL_EXPORT Result<std::string> required_string(const Json& object, std::string_view name,
                                                    std::string_view what);

/// The member `name` of `object` if it is a boolean, else `fallback`.
ACMETOOL_EXPORT bool bool_member(const Json& object, std::string_view name, bool fallback);

/// The JSON text of `value`; invalid UTF-8 in strings becomes U+FFFD. `indent` < 0: one line.
ACMETOOL_EXPORT std::string to_text(const Json& value, int indent = -1);

} // namespace acmetool::base
