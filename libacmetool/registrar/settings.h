#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "brski/envelope.h"
#include "crypto/cert.h"
#include "enrol/identity.h"
#include "registrar/masa.h"
#include "registrar/options.h"
#include "registrar/records.h"

namespace acmetool::registrar
{

/// One manufacturer, its files read.
struct Manufacturer {
    ManufacturerOptions options;
    crypto::AnchorStore anchors;                ///< of its IDevIDs
    std::shared_ptr<const crypto::CrlSet> crls; ///< of these; null: revocation is not checked
    std::shared_ptr<Masa> masa;

    /// The MASA of a device: the configured one, or the one that its IDevID names if it may be asked.
    /// Errors: refused, bad_input, reason "masaUrl".
    Result<std::string> masa_of(const crypto::Certificate& idevid) const;
};

/// A device of one of the manufacturers.
struct Pledge {
    const Manufacturer* manufacturer; ///< of the same Settings
    enrol::Identity identity;
    RecordIds ids;
};

/// Whose device a certificate is.
struct Origin {
    const Manufacturer* manufacturer = nullptr; ///< null: none of these
    /// Why the certificate is not valid for it all the same: Errc::temporary if only a current CRL is
    /// missing, bad_input if the serial number is.
    std::optional<Error> objection = {};
    std::optional<Pledge> pledge = {}; ///< without an objection
};

/// A configuration with its files read. A request keeps the one with which it began.
struct Settings {
    Options options;
    brski::Signer signer; ///< of voucher-requests; its chain is what pledges see in the TLS handshake
    std::vector<Manufacturer> manufacturers;
    enrol::Manufacturers identities; ///< their CAs
    enrol::Manufacturers devices;    ///< the CAs of all IDevIDs that the registration authority accepts
    std::vector<crypto::Certificate> device_anchors; ///< their certificates

    /// The manufacturer of the device with this chain, and the device. A device of a manufacturer remains
    /// that whatever is wrong with its certificate, and by whichever path the registration authority accepts
    /// it.
    Origin origin_of(const std::vector<crypto::Certificate>& chain, base::TimePoint now) const;
    /// By its configured name; null if it is absent.
    const Manufacturer* find(std::string_view name) const;
};

} // namespace acmetool::registrar
