#pragma once

#include <functional>
#include <memory>
#include <string>

#include "acme-order/renewal.h"
#include "acme/certificate_renewal.h"
#include "acme/solver.h"

/// The certificates that acme-order renews: what the options say, or the files of --config-dir.
namespace acmetool::cli
{

/// The request of a certificate: given by --csr, or made with --key.
Result<crypto::Csr> request_of(const RenewOptions& options, const std::string& file, Io& io);

/// One certificate as the current options describe it. The solver is created before any request is sent.
struct Wanted {
    acme::ClientOptions client;
    std::unique_ptr<acme::Solver> solver;
    acme::CertificateWish wish;
    bool is_alone = false; ///< the solver needs the terminal or a port: one certificate at a time
};
Result<Wanted> wanted(const RenewOptions& options, const std::string& file, const std::string& ca_file,
                      Io& io);

/// A file of --config-dir, while `options` are what it says.
struct ConfiguredFile {
    std::string name;            ///< of the file itself
    Result<FileOptions> given{}; ///< or what is wrong with it
};
/// Calls `work` for each .toml file in `options.config_dir`, with the options as the file and `verb`, which
/// is renew, say. Afterwards they are as before. Errors: config ("noDirectory"), and those of `work`.
Result<void> for_each_file(Verb& verb, RenewOptions& options,
                           const std::function<Result<void>(const ConfiguredFile&)>& work);

} // namespace acmetool::cli
