#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "base/text.h"
#include "base/time.h"
#include "crypto/cert.h"
#include "crypto/csr.h"
#include "enrol/identity.h"
#include "ra/records.h"
#include "store/database.h"

/// Columns of the tables of the registration authority, for the files with its SQL.
namespace acmetool::ra::columns
{

inline constexpr std::size_t kLongestFormerSerial = 200; ///< in former_id()

inline std::int64_t seconds(base::TimePoint time)
{
    return time.time_since_epoch().count();
}

inline base::TimePoint time_of(const std::string& text)
{
    return base::TimePoint{std::chrono::seconds{store::number_of(text)}};
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

inline constexpr std::string_view kOrderColumns = "id, state, device, device_serial, label, domain, profile, "
                                                  "renewal, identifiers, csr, url, unsure, request_id, "
                                                  "created, until, certificate, why, words, owner, "
                                                  "generation, watched";
inline constexpr std::string_view kCertificateColumns =
    "digest, serial, device, device_serial, identifiers, csr_digest, key_digest, not_before, not_after, der, "
    "subject";
inline constexpr std::ptrdiff_t kOrderWidth = 21;
inline constexpr std::ptrdiff_t kCertificateWidth = 11;

inline Bytes bytes_of(const std::string& text)
{
    return {text.begin(), text.end()};
}

/// Of kOrderColumns.
inline OrderRow order_of(const store::Database::Row& row)
{
    OrderRow order;
    order.id = row[0];
    order.state = static_cast<OrderState>(store::number_of(row[1]));
    order.device = {row[2], row[3]};
    order.label = row[4];
    order.domain = row[5];
    order.profile = row[6];
    order.renewal = row[7] == "1";
    order.identifiers = identifiers_of(row[8]);
    order.csr = bytes_of(row[9]);
    order.url = row[10];
    order.unsure = row[11] == "1";
    order.request_id = row[12];
    order.created = time_of(row[13]);
    order.until = time_of(row[14]);
    order.certificate = row[15];
    order.failure.why = static_cast<enrol::Refusal>(store::number_of(row[16]));
    order.failure.text = row[17];
    order.failure.ground = enrol::Ground::order_failed;
    order.owner = row[18];
    order.generation = store::number_of(row[19]);
    order.watched = row[20] == "1";
    return order;
}

/// Of kCertificateColumns.
inline CertificateRow certificate_of(const store::Database::Row& row)
{
    return {row[0], row[1],          {row[2], row[3]}, identifiers_of(row[4]), row[5],
            row[6], time_of(row[7]), time_of(row[8]),  bytes_of(row[9]),       bytes_of(row[10])};
}

/// Of the key of a certificate in DER, hexadecimal; empty if it cannot be read.
inline std::string key_digest_of(const std::string& der)
{
    const auto certificates = crypto::parse_certificates(der, "certificate in the store");
    return certificates ? to_hex(certificates->front().public_key().spki_sha256()) : std::string{};
}

/// What the inventory in the store has of the serial number in a parameter, such as "$1": a kind, whose, a
/// number without meaning, label and names. The names are between commas.
inline std::string listed_sql(std::string_view parameter)
{
    return fmt::format("SELECT 'listed', whose, 0, label, names FROM inventory WHERE generation = (SELECT "
                       "generation FROM inventory_state) AND serial = {}",
                       parameter);
}

/// Of listed_sql().
inline InventoryEntry entry_of(const store::Database::Row& row)
{
    InventoryEntry entry{row[3], {}, row[1]};
    if (!row[4].empty())
        for (const auto name : base::split(row[4], ','))
            entry.names.emplace_back(name);
    return entry;
}

/// The identifiers that devices with a serial number can have, now and in rows of an earlier version, as two
/// ranges "from <= id < to": their index is that of devices.
inline std::array<std::string, 4> ids_with_serial(std::string_view serial)
{
    const auto now = enrol::escape_serial(serial);
    const auto former = base::printable(serial, kLongestFormerSerial);
    // "A" follows "@".
    return {now + "@", now + "A", former + "@", former + "A"};
}
inline constexpr std::string_view kHasSerial =
    "((device >= $1 AND device < $2) OR (device >= $3 AND device < $4)) AND device_serial = $5";

} // namespace acmetool::ra::columns
