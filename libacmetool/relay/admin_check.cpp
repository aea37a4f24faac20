#include "http/tls_context.h"
#include "relay/administration.h"
#include "relay/findings.h"
#include "store/configured.h"

namespace acmetool::relay
{

void check_admin(Findings& findings, const Config& config, base::TimePoint now)
{
    const auto& remote = config.remote_admin;
    if (!remote.listen) return;
    const std::string subject = "admin";
    http::ServerOptions tls;
    tls.certificate_file = remote.certificate_file;
    tls.key_file = remote.key_file;
    if (const auto context = http::make_server_context(tls); !context)
        bad(findings, subject, context.error());
    else if (const auto chain = store::read_configured_certificates(remote.certificate_file))
        check_end(findings, subject, "certificate " + chain->front().subject(), chain->front().not_after(),
                  now, "renew the certificate, then send SIGHUP");
    for (const auto& file : remote.clients) {
        const auto anchors = store::read_configured_certificates(file, "clients");
        if (!anchors) {
            bad(findings, subject, anchors.error());
            continue;
        }
        for (const auto& anchor : *anchors)
            check_end(findings, subject, "CA of clients " + anchor.subject(), anchor.not_after(), now,
                      "replace the CA's certificate, then send SIGHUP");
    }
    if (remote.token_file.empty()) return;
    if (const auto token = read_admin_token(remote.token_file); !token)
        bad(findings, subject, token.error());
    else
        ok(findings, subject, "the token can be read");
}

} // namespace acmetool::relay
