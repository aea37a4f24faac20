#include "relay/admin_section.h"

#include "relay/administration.h"

namespace acmetool::relay
{
void refuse_open_admin(Section& listen, const net::Endpoint& admin)
{
    if (!is_this_host(admin.host))
        listen.refuse("admin",
                      "plain HTTP is only for addresses of this host: use listen in [admin] for others");
}

void read_admin(Section section, Config& config)
{
    auto& remote = config.remote_admin;
    net::Endpoint listen{"0.0.0.0", 9444};
    section.endpoint("listen", listen,
                     "address and port for other hosts, by HTTPS: the page, /metrics and /status, for those "
                     "that clients or token_file let in; only if it is set");
    section.file("certificate", remote.certificate_file,
                 "certificate chain for it, PEM, end entity first; default: that of [tls]");
    section.key_of("certificate", "key", remote.key_file,
                   "private key of certificate, PEM; default: that file name with .key instead of .pem");
    section.files("clients", remote.clients,
                  "CAs (PEM) whose client certificates let in; their other holders are let in as well");
    section.file(
        "token_file", remote.token_file,
        "file with a token of at least 32 characters that lets in, as Bearer token or as the password of "
        "any user");
    if (section.has("listen")) {
        remote.listen = listen;
        if (remote.clients.empty() && remote.token_file.empty())
            section.refuse("listen",
                           "requires clients or token_file: whoever reaches it would read all devices");
    }
    for (const auto* key : {"certificate", "key", "clients", "token_file"})
        if (!section.has("listen")) section.refuse(key, "requires listen");
    if (!section.has("certificate")) section.refuse("key", "requires certificate");
    if (remote.certificate_file.empty()) {
        remote.certificate_file = config.http.certificate_file;
        remote.key_file = config.http.key_file;
    }
    section.finish();
}

} // namespace acmetool::relay
