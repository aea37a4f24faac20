#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/cert.h"
#include "http/authentication.h"
#include "http/client.h"
#include "registrar/options.h"

namespace acmetool::registrar
{

/// How a manufacturer's MASA is asked, its files read.
struct MasaSettings {
    ManufacturerOptions manufacturer;
    http::ClientOptions http;
    std::optional<http::Credentials> credentials;
};

/// The certificates in PEM files. Errors: config.
Result<std::vector<crypto::Certificate>> read_anchors(const std::vector<std::string>& files);

/// Reads, and so checks, all files that a MASA's client needs. Errors: config, io.
Result<MasaSettings> read_masa_settings(const Options& options, const ManufacturerOptions& manufacturer);

/// How a MASA is asked: whom its TLS server has to be, what is shown to it, for how long and how much.
http::ClientOptions masa_http(const Options& options, const ManufacturerOptions& manufacturer);

/// Whether the manufacturer's allow-list (SEC-06) has this MASA. Errors: refused.
Result<void> may_ask(const ManufacturerOptions& manufacturer, const std::string& masa_url);

} // namespace acmetool::registrar
