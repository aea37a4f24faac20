#include "common/acme_options.h"

namespace acmetool::cli
{

void add_account(Verb& verb, acme::ClientOptions& options)
{
    verb.option("--account", options.account_file, "Account file, from acme-account register");
    verb.option("--state", options.state_directory,
                "State directory instead of FILE.d beside the account file");
    verb.option("--account-passphrase-file", options.passphrase.file,
                "File with the passphrase of the account's key; default: ask at the terminal");
}

void add_solver(Verb& verb, acme::SolverOptions& options)
{
    verb.option("--dns-update", options.dns_update, "dns-01 by RFC 2136 at this server, HOST[:PORT]");
    verb.option("--tsig-key", options.tsig_key,
                "TSIG key file: as tsig-keygen prints it, or alg:name:base64");
    verb.option("--dns-allow-zone", options.dns_allow_zones,
                "Zone that a CNAME may lead the update to (repeatable)");
    verb.option("--hook", options.hook, "Program that fulfils challenges; acmetool-hooks(7)");
    verb.option("--hook-style", options.hook_style,
                "uacme, certbot, dehydrated or lego: how the program is called");
    verb.option("--hook-cleanup", options.hook_cleanup,
                "certbot style: program that removes what --hook made");
    verb.option("--hook-timeout", options.hook_timeout, "Kill a hook that runs longer");
    verb.option("--webroot", options.webroot, "http-01 by a file under this folder");
    verb.option("--standalone", options.standalone,
                "http or tls-alpn: answer http-01 or tls-alpn-01 with a built-in listener");
    verb.option("--standalone-listen", options.standalone_listen,
                "PORT or ADDRESS:PORT for it instead of 80 or 443 at every address");
    verb.flag("--dns-persist", options.dns_persist,
              "Use dns-persist-01 with the published record (see acme-preauth persist-record)");
    verb.flag("--manual", options.manual, "Say what to publish, and wait for Enter");
    verb.option("--resolver", options.resolver, "Find name servers through this resolver, HOST[:PORT]");
    verb.option("--name-server", options.name_servers,
                "Ask this server instead of the zone's own (repeatable)");
    verb.flag("--no-dns-check", options.no_dns_check, "Do not look whether the record is visible");
    verb.option("--dns-wait", options.dns_wait, "How long the record may take to become visible");
}

Result<std::unique_ptr<acme::Client>> open_client(acme::ClientOptions options, Io& io)
{
    options.ca_file = io.ca_file();
    if (const auto timeout = io.timeout()) options.timeout = *timeout;
    return acme::Client::open(options, io.context());
}

} // namespace acmetool::cli
