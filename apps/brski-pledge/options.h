#pragma once

#include <memory>
#include <string>
#include <vector>

#include "brski/pledge.h"
#include "cli/program.h"

namespace acmetool::cli
{

/// The options of brski-pledge.
struct DeviceOptions {
    std::string idevid;
    std::string key;
    std::string key_passphrase_file;
    std::string registrar;
    std::string cloud;
    std::string registrar_cert;
    std::string manufacturer_ta;
    std::vector<std::string> crl;
    std::string request;
    std::string format = "cms";
    bool nonceless = false;
    bool no_clock = false;
    bool explain = false;
    bool failed = false;
    std::string reason;
    std::string new_key = "auto";
    std::string key_out;
    std::string save_cacerts;
    std::string save_voucher;
    std::string journal;
    bool discover = false;
    std::vector<std::string> interfaces;
    std::string domain;
};

Result<brski::Format> format_of(const DeviceOptions& options);
Result<http::TlsIdentity> read_idevid(const DeviceOptions& options, Io& io);
Result<crypto::AnchorStore> read_manufacturer(const DeviceOptions& options);
Result<brski::PledgeOptions> pledge_options(const DeviceOptions& options, Io& io);
/// The registrar that the options name, if any: --registrar or --cloud.
Result<std::string> place_of(const DeviceOptions& options);

/// A connection to a registrar that is not authenticated yet; if `expected` is known, it must have that
/// certificate.
std::unique_ptr<http::Transport> provisional(const http::TlsIdentity& identity, base::Context& context,
                                             const crypto::Certificate* expected = nullptr);

/// One line for each check of a voucher.
std::string explained(const brski::Report& report);

} // namespace acmetool::cli
