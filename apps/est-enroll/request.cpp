#include "est-enroll/request.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/order_task.h"
#include "crypto/cms.h"
#include "crypto/key_type.h"
#include "est/codec.h"
#include "est/run.h"

namespace acmetool::cli
{

Result<void> check_new_key(const std::string& type)
{
    if (type == "auto") return {};
    return crypto::check_key_type(type);
}

Result<std::string> to_format(const std::vector<crypto::Certificate>& certificates, const std::string& format)
{
    if (format == "pem") return crypto::to_pem(certificates);
    if (format == "der") return std::string{as_text(certificates.front().der())};
    ACMETOOL_TRY(message, crypto::to_certs_only(certificates));
    return "-----BEGIN PKCS7-----\n" + est::to_body(message) + "-----END PKCS7-----\n";
}

Result<void> write_certificate(const std::vector<crypto::Certificate>& chain,
                               const EstRequestOptions& options, Io& io, const base::Json& more)
{
    if (!io.json()) {
        ACMETOOL_TRY(text, to_format(chain, options.format));
        return io.write(text);
    }
    auto members = acme::certificate_document(chain);
    members.update(more);
    return io.write_document("certificate", members);
}

void defer(const est::Enrolment& enrolment, Io& io)
{
    io.defer({.what = fmt::format("{}: the server has not decided yet", enrolment.url),
              .retry_after = enrolment.retry_after,
              .url = enrolment.url,
              .csr_sha256 = est::csr_sha256(enrolment.csr)});
}

std::function<Result<void>(const est::CaCertificates&)> cas_keeper(const EstRequestOptions& options,
                                                                   EstSession& session, Io& io)
{
    if (options.save_cacerts.empty()) return nullptr;
    return CasKeeper{options.save_cacerts, session.client(), io.context()};
}

void add_waiting(Verb& verb, EstOptions& options)
{
    verb.option("--retry-after DURATION", options.retry_after,
                "Time to wait if the server answers \"not yet\" without Retry-After");
}

void add_format(Verb& verb, EstRequestOptions& options)
{
    verb.option("--format FORMAT", options.format, "Output format: pem, der (without the chain) or pkcs7")
        .choices({"pem", "der", "pkcs7"});
}

void add_run(Verb& verb, EstRequestOptions& options)
{
    verb.option("--new-key TYPE", options.new_key,
                fmt::format("Type of a new key: {}, {}, ...; auto: as the server requests",
                            crypto::kDefaultKeyType, crypto::kDefaultRsaType))
        .suggestions(crypto::key_types("auto"))
        .option("--key-out FILE", options.key_out, "File for the new key (mode 0600, never overwritten)")
        .flag("--pop", options.pop, "Include the channel binding even if the server does not request it")
        .flag("--once", options.once, "Do not wait: exit with 75 if the server answers \"not yet\"")
        .option("--save-cacerts FILE", options.save_cacerts,
                "Write the server's CA certificates to this file, for --explicit-ta")
        .option("--journal FILE", options.journal,
                "State of an interrupted run; default: the key's file with .journal appended");
    add_waiting(verb, options);
    add_format(verb, options);
}

} // namespace acmetool::cli
