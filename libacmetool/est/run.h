#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "est/ca_certificates.h"
#include "est/client.h"
#include "est/csr_filling.h"

/// A whole enrolment or renewal on one connection: CA certificates, CSR attributes, CSR, certificate.
namespace acmetool::est
{

/// The key of the CSR.
struct RunKey {
    std::string new_type; ///< "ec:P-256", ...; "auto": as the server asks; empty: `existing`
    std::string file;     ///< where a new key goes (0600, never over one that is not this run's)
    std::optional<crypto::Key> existing;
};

struct RunOptions {
    RunKey key;
    Filling filling;   ///< for what the CSR attributes leave open
    bool bind = false; ///< put the channel binding into the CSR even if the server does not ask for it
    /// For a renewal: the certificate whose Subject and SAN are asked for again.
    std::optional<crypto::Certificate> renewed;
    std::vector<crypto::Certificate> explicit_anchors; ///< CA certificates trusted by themselves already
    std::string journal_file;
    /// Given the CA certificates as soon as they are known to be good, and again where they had to be asked
    /// for once more because the issuer of the new certificate was not among them; may be empty.
    std::function<Result<void>(const CaCertificates&)> take_cas;
};

struct RunOutcome {
    Enrolment enrolment;
    std::vector<crypto::Certificate> chain; ///< ours first, intermediates after it; empty while pending
};

/// Asks for CA certificates and attributes, makes (or finds in the journal) key and CSR, and enrols.
///
/// The journal is written before the key is made and before a CSR is sent. A run that was killed goes on
/// with the same key, and with the same CSR unless that is bound to a connection or the server asks for
/// something else now. The caller removes the journal once the certificate is where it belongs. Errors
/// beyond those of Client: bad_input (reason "csrattrsUnfilled", "csrattrsKey"), cannot_create
/// ("fileExists").
ACMETOOL_EXPORT Result<RunOutcome> run(Client& client, const RunOptions& options, const ServerUrl& server,
                                       base::Context& context);

/// SHA-256 over the CSR's DER in lower-case hexadecimal.
ACMETOOL_EXPORT std::string csr_sha256(const crypto::Csr& csr);

} // namespace acmetool::est
