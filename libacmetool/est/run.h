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
    std::string new_type; ///< "ec:P-256", ...; "auto": as the server requests; empty: `existing`
    std::string file;     ///< file for a new key (0600, never over a key of another run)
    std::optional<crypto::Key> existing;
};

struct RunOptions {
    RunKey key;
    Filling filling;   ///< values that the CSR attributes leave open
    bool bind = false; ///< include the channel binding even if the server does not request it
    /// For a renewal: the certificate whose Subject and SAN are requested again.
    std::optional<crypto::Certificate> renewed;
    std::vector<crypto::Certificate> explicit_anchors; ///< existing trust anchors
    bool clock = true; ///< false: this host has none (crypto::PathPolicy::clock)
    std::string journal_file;
    /// Called with the verified CA certificates, and again if they had to be requested again because the
    /// issuer of the new certificate was missing; may be empty.
    std::function<Result<void>(const CaCertificates&)> take_cas;
};

struct RunOutcome {
    Enrolment enrolment;
    std::vector<crypto::Certificate> chain; ///< ours first, intermediates after it; empty while pending
};

/// Requests CA certificates and attributes, creates key and CSR or finds them in the journal, and enrols.
///
/// The journal is written before the key is created and before a CSR is sent. A killed run is continued with
/// the same key, and with the same CSR unless that is bound to a connection or the server's requirements
/// changed. What the server issued is in the journal before anything else is done; a run that ended after
/// that is completed without another request to enrol. The caller removes the journal after writing the
/// certificate. Errors beyond those of Client: bad_input (reason "csrattrsUnfilled", "csrattrsKey"),
/// cannot_create ("fileExists").
ACMETOOL_EXPORT Result<RunOutcome> run(Client& client, const RunOptions& options, const ServerUrl& server,
                                       base::Context& context);

/// The chain that an earlier run with the same options got and did not write, from the journal; empty if
/// there is none, or if it expired. Sends nothing; run() returns it as well. Errors: those of read_journal().
ACMETOOL_EXPORT Result<std::vector<crypto::Certificate>>
undelivered(const RunOptions& options, const ServerUrl& server, base::Context& context);

/// Everything that run() does before its first request to enrol, with a key in memory instead of a new file
/// and without the journal: gets CA certificates and attributes, and creates the CSR. Errors: as run().
ACMETOOL_EXPORT Result<void> rehearse(Client& client, const RunOptions& options, base::Context& context);

/// SHA-256 of the CSR's DER in lower-case hexadecimal.
ACMETOOL_EXPORT std::string csr_sha256(const crypto::Csr& csr);

} // namespace acmetool::est
