#include "common/acme_options.h"

#include <fmt/core.h>

#include "acme/directory.h"
#include "base/text.h"
#include "store/secret_file.h"

namespace acmetool::cli
{

void add_account(Verb& verb, acme::ClientOptions& options)
{
    verb.group("Account options");
    verb.option("--account FILE", options.account_file, "Account file, created by acme-account register");
    verb.option("--state DIR", options.state_directory,
                "State directory; default: the name of the account file with .d appended");
    verb.option("--account-passphrase-file FILE", options.passphrase.file,
                "Passphrase of the account's key; default: ask at the terminal");
    verb.group({});
}

void add_solver(Verb& verb, acme::SolverOptions& options)
{
    verb.group("Solver options");
    verb.option("--dns-update HOST[:PORT]", options.dns_update,
                "Solve dns-01 by dynamic update (RFC 2136) of this server");
    verb.option("--tsig-key FILE", options.tsig_key,
                "TSIG key, in the form of tsig-keygen or as ALGORITHM:NAME:BASE64");
    verb.option("--dns-allow-zone ZONE", options.dns_allow_zones,
                "Zone to which a CNAME may redirect the update (repeatable)");
    verb.option("--hook PROGRAM", options.hook, "Solve challenges with this program; see acmetool-hooks(7)");
    verb.option("--hook-style STYLE", options.hook_style,
                "Calling convention of the hook: uacme, certbot, dehydrated or lego")
        .choices({"uacme", "certbot", "dehydrated", "lego"}, "hookStyle");
    verb.option("--hook-cleanup PROGRAM", options.hook_cleanup,
                "With certbot style: program that cleans up after --hook");
    verb.option("--hook-env NAME", options.hook_env,
                "Environment variable that hooks get, besides those of acmetool-hooks(7) (repeatable)");
    verb.option("--hook-timeout DURATION", options.hook_timeout, "Kill a hook that runs longer than this");
    verb.option("--webroot DIR", options.webroot, "Solve http-01 with files under this folder");
    verb.option("--standalone TYPE", options.standalone,
                "Solve http-01 (http) or tls-alpn-01 (tls-alpn) with a built-in listener")
        .choices({"http", "tls-alpn"}, "standaloneKind");
    verb.option("--standalone-listen [ADDRESS:]PORT", options.standalone_listen,
                "Address and port of that listener; default: port 80 or 443 on all addresses");
    verb.flag("--dns-account", options.dns_account,
              "Solve dns-account-01, whose record name belongs to this account alone, instead of dns-01");
    verb.flag("--dns-persist", options.dns_persist,
              "Solve dns-persist-01 with the record that acme-preauth persist-record prints");
    verb.flag("--manual", options.manual, "Print what to publish and wait for Enter");
    verb.option("--resolver HOST[:PORT]", options.resolver,
                "Find name servers with this resolver; default: the --dns-update server, or the system's");
    verb.option("--name-server HOST[:PORT]", options.name_servers,
                "Check this server instead of the zone's servers (repeatable)");
    verb.flag("--no-dns-check", options.no_dns_check, "Do not check that the record is visible");
    verb.option("--dns-wait DURATION", options.dns_wait, "Longest wait for the record to become visible");
    verb.group({});
}

Result<void> check_directory(const std::string& url)
{
    if (!acme::origin_of(url).empty()) return {};
    return fail(Errc::usage, fmt::format("--directory {}: not an https URL", base::printable(url, 200)),
                "give the URL of the CA's directory, such as https://acme.example/directory", "badDirectory");
}

Result<std::unique_ptr<acme::Solver>> make_solver(const acme::SolverOptions& options, Io& io)
{
    if (!options.tsig_key.empty()) store::warn_if_exposed(options.tsig_key, "--tsig-key", io.context());
    return acme::make_solver(options);
}

Result<std::unique_ptr<acme::Client>> open_client(acme::ClientOptions options, Io& io)
{
    options.ca_file = io.ca_file();
    if (const auto timeout = io.timeout()) options.timeout = *timeout;
    return acme::Client::open(options, io.context());
}

} // namespace acmetool::cli
