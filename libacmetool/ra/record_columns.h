#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "base/time.h"
#include "crypto/cert.h"
#include "crypto/csr.h"

/// Columns of the tables of the registration authority, for the files with its SQL.
namespace acmetool::ra::columns
{

inline std::int64_t seconds(base::TimePoint time)
{
    return time.time_since_epoch().count();
}

inline std::int64_t number(const std::string& text)
{
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

inline base::TimePoint time_of(const std::string& text)
{
    return base::TimePoint{std::chrono::seconds{number(text)}};
}

/// "dns:a.example dns:b.example": neither names nor addresses hold spaces.
inline std::string to_text(const std::vector<crypto::Identifier>& identifiers)
{
    std::string text;
    for (const auto& identifier : identifiers)
        text += (text.empty() ? "" : " ") + identifier.type + ":" + identifier.value;
    return text;
}

inline std::vector<crypto::Identifier> identifiers_of(const std::string& text)
{
    std::vector<crypto::Identifier> identifiers;
    for (const auto part : base::split(text, ' '))
        if (const auto colon = part.find(':'); colon != std::string_view::npos)
            identifiers.push_back({std::string{part.substr(0, colon)}, std::string{part.substr(colon + 1)}});
    return identifiers;
}

/// Of the key of a certificate in DER, hexadecimal; empty if it cannot be read.
inline std::string key_digest_of(const std::string& der)
{
    const auto certificates = crypto::parse_certificates(der, "certificate in the store");
    return certificates ? to_hex(certificates->front().public_key().spki_sha256()) : std::string{};
}

} // namespace acmetool::ra::columns
