#include "est-enroll/request.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/order_task.h"
#include "base/text.h"
#include "crypto/cms.h"
#include "crypto/key_type.h"
#include "est/codec.h"
#include "est/run.h"
#include "store/atomic_file.h"

namespace acmetool::cli
{

Result<void> check_format(const EstRequestOptions& options)
{
    if (options.format == "pem" || options.format == "der" || options.format == "pkcs7") return {};
    return fail(Errc::usage, fmt::format("--format: \"{}\" is none of pem, der, pkcs7",
                                         base::printable(options.format, 40)));
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

std::function<Result<void>(const est::CaCertificates&)> cas_keeper(const EstRequestOptions& options, Io& io)
{
    if (options.save_cacerts.empty()) return nullptr;
    return [file = options.save_cacerts, &context = io.context()](const est::CaCertificates& cas) {
        return store::write_output(file, crypto::to_pem(cas.trusted), 0644, context);
    };
}

void add_waiting(Verb& verb, EstOptions& options)
{
    verb.option("--retry-after", options.retry_after,
                "How long to wait where the server says \"not yet\" but not for how long");
}

void add_format(Verb& verb, EstRequestOptions& options)
{
    verb.option("--format", options.format, "pem, der (the certificate alone) or pkcs7");
}

void add_run(Verb& verb, EstRequestOptions& options)
{
    verb.option("--new-key", options.new_key,
                fmt::format("Make a key: {}, {}, ...; auto: as the server asks", crypto::kDefaultKeyType,
                            crypto::kDefaultRsaType))
        .option("--key-out", options.key_out, "Write the new key here (0600, never over a file)")
        .flag("--pop", options.pop, "Put the channel binding into the request even if it is not asked for")
        .flag("--once", options.once, "Do not wait: end with 75 where the server says \"not yet\"")
        .option("--save-cacerts", options.save_cacerts,
                "Keep the server's CA certificates in this file, for --explicit-ta")
        .option("--journal", options.journal, "What a killed run left; default: FILE.journal beside the key");
    add_waiting(verb, options);
    add_format(verb, options);
}

} // namespace acmetool::cli
