#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "common/est_session.h"
#include "crypto/cert.h"

/// Shared by the verbs of est-enroll that return a certificate: options and output.
namespace acmetool::cli
{

struct EstRequestOptions : EstOptions {
    std::string format = "pem"; ///< "pem", "der", "pkcs7"
    bool pop = false;
    std::string new_key;
    std::string key_out;
    std::string save_cacerts;
    std::string journal;
};

/// --retry-after.
void add_waiting(Verb& verb, EstOptions& options);
/// --format.
void add_format(Verb& verb, EstRequestOptions& options);
/// The options of a whole run, including --retry-after and --format.
void add_run(Verb& verb, EstRequestOptions& options);

/// Errc::usage unless it is a type of key or "auto".
Result<void> check_new_key(const std::string& type);
/// The certificates in the form of --format; DER holds only the first.
Result<std::string> to_format(const std::vector<crypto::Certificate>& certificates,
                              const std::string& format);
/// The result of an enrolment; `more` are members of the document beside the usual ones.
Result<void> write_certificate(const std::vector<crypto::Certificate>& chain,
                               const EstRequestOptions& options, Io& io, const base::Json& more);
/// Makes the program exit with 75: the server has not decided yet.
void defer(const est::Enrolment& enrolment, Io& io);
/// CasKeeper for --save-cacerts; nothing without it. Keeps a reference to `session`.
std::function<Result<void>(const est::CaCertificates&)> cas_keeper(const EstRequestOptions& options,
                                                                   EstSession& session, Io& io);

} // namespace acmetool::cli
