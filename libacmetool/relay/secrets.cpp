#include "relay/secrets.h"

#include <fmt/core.h>

#include "acme/account.h"
#include "store/secret_file.h"

namespace acmetool::relay
{

std::vector<SecretFile> secret_files(const Config& config)
{
    std::vector<SecretFile> files;
    const auto add = [&](std::string section, std::string what, const std::string& file) {
        if (!file.empty()) files.push_back({std::move(section), std::move(what), file});
    };
    add("tls", "key", config.http.key_file);
    if (config.remote_admin.key_file != config.http.key_file)
        add("admin", "key", config.remote_admin.key_file);
    add("admin", "token_file", config.remote_admin.token_file);
    add("events", "webhook_key_file", config.events.webhook_key_file);
    add("clients.basic", "file", config.ra.users_file);
    add("clients.digest", "file", config.ra.digest_users_file);
    if (!config.ra.account_file.empty())
        if (const auto account = acme::load_account(config.ra.account_file))
            add("acme", "account key", acme::beside(config.ra.account_file, account->key_file));
    add("acme", "account_passphrase_file", config.ra.account_passphrase_file);
    add("dns", "tsig_key", config.ra.solver.tsig_key);
    if (config.teap)
        for (const auto& client : config.teap->clients)
            add("client", "secret_file", client.secret_file);
    for (const auto& manufacturer : config.brski.manufacturers) {
        add("manufacturer " + manufacturer.name, "masa_key", manufacturer.masa_key);
        add("manufacturer " + manufacturer.name, "masa_credentials", manufacturer.masa_credentials);
    }
    return files;
}

void warn_of_exposed(const Config& config, base::Context& context)
{
    for (const auto& [section, what, file] : secret_files(config))
        store::warn_if_exposed(file, fmt::format("[{}] {}", section, what), context);
}

} // namespace acmetool::relay
