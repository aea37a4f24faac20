#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "brski/envelope.h"
#include "crypto/anchor_store.h"
#include "crypto/cert.h"
#include "registrar/masa.h"
#include "registrar/options.h"

namespace acmetool::registrar
{

/// One manufacturer, its files read.
struct Manufacturer {
    ManufacturerOptions options;
    crypto::AnchorStore anchors; ///< of its IDevIDs
    std::shared_ptr<Masa> masa;

    /// The MASA of a device: the configured one, or the one that its IDevID names if it may be asked.
    /// Errors: refused, bad_input, reason "masaUrl".
    Result<std::string> masa_of(const crypto::Certificate& idevid) const;
};

/// A configuration with its files read. A request keeps the one with which it began.
struct Settings {
    Options options;
    brski::Signer signer; ///< of voucher-requests; its chain is what pledges see in the TLS handshake
    std::vector<Manufacturer> manufacturers;

    /// The manufacturer below whose anchors this chain is; null if none is.
    const Manufacturer* manufacturer_of(const std::vector<crypto::Certificate>& chain,
                                        base::TimePoint now) const;
    /// By its configured name; null if it is absent.
    const Manufacturer* find(std::string_view name) const;
};

} // namespace acmetool::registrar
