// acme-account: an ACME account at a CA (RFC 8555 section 7.3).
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/account.h"
#include "acme/contact.h"
#include "acme/registration.h"
#include "acme/rollover.h"
#include "base/text.h"
#include "cli/program.h"
#include "common/acme_options.h"
#include "crypto/encrypted_key.h"
#include "crypto/key_type.h"
#include "crypto/key_uri.h"
#include "store/atomic_file.h"
#include "store/configured.h"
#include "store/secret_file.h"

using namespace acmetool;

namespace
{

struct Options {
    acme::ClientOptions client;
    acme::Registration registration;
    std::string directory;
    std::string key_type{crypto::kDefaultKeyType};
    std::string key;
    std::string eab_kid;
    std::string eab_key_file;
    std::string next_key_type; ///< rollover; empty: the type of the current key
};

Result<void> print(const acme::AccountFile& account, const acme::AccountStatus& status, cli::Io& io)
{
    base::Json members{{"directory", account.directory},
                       {"url", status.url},
                       {"status", status.status},
                       {"contact", status.contact},
                       {"created", status.created}};
    members[crypto::is_key_uri(account.key_file) ? "keyUri" : "keyFile"] = account.key_file;
    // Every member of the account file, because --output may name that file.
    if (!account.ca_file.empty()) members["caFile"] = account.ca_file;
    return io.write_document("account", members);
}

/// Writes a new key to its file, encrypted if a passphrase is given.
Result<void> write_account_key(const std::string& path, const crypto::Key& key,
                               const base::Secret& passphrase, cli::Io& io)
{
    if (!passphrase.empty()) {
        ACMETOOL_TRY(encrypted, crypto::to_encrypted_pem(key, passphrase));
        return io.write_key(path, encrypted);
    }
    ACMETOOL_TRY(pem, key.to_pem());
    return io.write_key(path, pem.reveal());
}

/// Reuses the key of an interrupted registration, so that no second account is created.
Result<crypto::Key> account_key(const std::string& path, const Options& options, cli::Io& io)
{
    std::error_code none;
    ACMETOOL_TRY(passphrase, acme::passphrase_for(path, options.client.passphrase, io.context()));
    if (!options.key.empty() || std::filesystem::exists(path, none))
        return acme::load_account_key(path, passphrase, &io.context());
    ACMETOOL_TRY(key, crypto::generate_key(options.key_type));
    const auto written = write_account_key(path, key, passphrase, io);
    // Another run created the key first: use it, so that both runs find the same account.
    if (!written && written.error().reason == Cause::file_exists)
        return acme::load_account_key(path, passphrase, &io.context());
    if (!written) return fail(written.error());
    return key;
}

/// The external account, if given. Its key comes from a file, never from the command line.
Result<void> read_external_account(Options& options, cli::Io& io)
{
    if (options.eab_kid.empty() != options.eab_key_file.empty())
        return fail(Errc::usage, "--eab-kid and --eab-key-file must be given together",
                    "the CA provides both a key identifier and a MAC key", "halfExternalAccount");
    if (options.eab_kid.empty()) return {};
    store::warn_if_exposed(options.eab_key_file, "--eab-key-file", io.context());
    ACMETOOL_TRY(secret, store::read_configured_secret(options.eab_key_file, "--eab-key-file"));
    ACMETOOL_TRY(key, acme::parse_mac_key(secret.reveal(), "--eab-key-file " + options.eab_key_file));
    options.registration.external.kid = options.eab_kid;
    options.registration.external.mac_key = std::move(key);
    return {};
}

/// What no CA may accept is refused before anything is created or sent (RFC 8555 section 7.3).
Result<void> check_contacts(const Options& options)
{
    for (const auto& contact : options.registration.contact)
        if (auto good = acme::check_contact(contact); !good) {
            good.error().code = Errc::usage;
            return fail(with_context(std::move(good).error(), "--contact"));
        }
    return {};
}

Result<void> register_account(Options& options, cli::Io& io)
{
    namespace fs = std::filesystem;
    ACMETOOL_CHECK(check_contacts(options));
    ACMETOOL_CHECK(read_external_account(options, io));
    const auto& file = options.client.account_file;
    std::error_code none;
    if (fs::exists(file, none)) {
        ACMETOOL_TRY(known, acme::load_account(file));
        if (!options.directory.empty() && known.directory != options.directory)
            return fail(Errc::cannot_create, file + " already holds an account at " + known.directory,
                        "choose another file with --account", "accountExists");
        options.directory = known.directory;
        options.key = acme::beside(file, known.key_file);
    }
    if (options.directory.empty())
        return fail(Errc::usage, "no CA given", "give the URL of the CA's directory with --directory",
                    "noDirectory");
    ACMETOOL_CHECK(cli::check_directory(options.directory));
    ACMETOOL_CHECK(crypto::check_key_type(options.key_type));

    acme::AccountFile account;
    account.directory = options.directory;
    const auto folder = fs::path{file}.parent_path();
    const auto key_path =
        options.key.empty() ? fs::path{file}.replace_extension(".key") : fs::path{options.key};
    account.key_file = crypto::is_key_uri(options.key)    ? options.key
                       : key_path.parent_path() == folder ? key_path.filename().string()
                                                          : fs::absolute(key_path).string();
    if (!io.ca_file().empty()) account.ca_file = fs::absolute(io.ca_file()).string();
    account.contact = options.registration.contact;
    // Check that the folder is writable before the request: an account without a saved file would be lost.
    ACMETOOL_TRY(key, account_key(key_path.string(), options, io));
    ACMETOOL_CHECK(acme::check_key_is_fresh(file, account.directory, key));
    ACMETOOL_TRY(client, acme::Client::connect(account.directory, account.ca_file, key,
                                               io.timeout().value_or(options.client.timeout), io.context()));
    ACMETOOL_TRY(status, acme::register_account(*client, options.registration));
    account.url = status.url;
    if (account.contact.empty()) account.contact = status.contact;
    ACMETOOL_CHECK(acme::save_account(file, account));
    return print(account, status, io);
}

using Call = Result<acme::AccountStatus> (*)(acme::Client&, const Options&);

Result<void> with_account(const Options& options, cli::Io& io, Call call)
{
    ACMETOOL_TRY(account, acme::load_account(options.client.account_file));
    ACMETOOL_TRY(client, cli::open_client(options.client, io));
    ACMETOOL_TRY(status, call(*client, options));
    if (status.contact != account.contact) {
        account.contact = status.contact;
        ACMETOOL_CHECK(acme::save_account(options.client.account_file, account));
    }
    return print(account, status, io);
}

/// The account of `key`; nothing if the CA does not know the key. Errors: bad_input ("keyInUse") if the key
/// belongs to an account other than `account.url`.
Result<std::optional<acme::AccountStatus>> status_under(const crypto::Key& key,
                                                        const acme::AccountFile& account,
                                                        const std::string& ca_file, const Options& options,
                                                        cli::Io& io)
{
    ACMETOOL_TRY(client, acme::Client::connect(account.directory, ca_file, key,
                                               io.timeout().value_or(options.client.timeout), io.context()));
    acme::Registration existing;
    existing.only_existing = true;
    auto status = acme::register_account(*client, existing);
    if (!status && status.error().reason == Cause::account_does_not_exist)
        return std::optional<acme::AccountStatus>{};
    if (!status) return fail(std::move(status).error());
    // The answer to keyChange varies (409 by RFC 8555 section 7.3.5, 500 from some CAs); the key cannot be
    // ours.
    if (status->url != account.url)
        return fail(Errc::bad_input,
                    fmt::format("the new key belongs to another account, {}", base::printable(status->url)),
                    "remove the file whose name ends in .next and run the command again", "keyInUse");
    return std::optional{std::move(*status)};
}

/// The new key of the account, written to disk before the request. A key left by an interrupted rollover may
/// already be the account's key, so it is never replaced.
Result<crypto::Key> next_key(const std::string& file, const crypto::Key& current, const Options& options,
                             const base::Secret& passphrase, cli::Io& io)
{
    std::error_code none;
    if (std::filesystem::exists(file, none)) {
        io.context().log(base::Level::info, "continuing an interrupted rollover with the key in " + file);
        return acme::load_account_key(file, passphrase, &io.context());
    }
    ACMETOOL_TRY(
        key, crypto::generate_key(options.next_key_type.empty() ? current.type() : options.next_key_type));
    ACMETOOL_CHECK(write_account_key(file, key, passphrase, io));
    return key;
}

/// True if the CA answered that it did not change the key.
bool is_refusal(const Error& error)
{
    return error.code == Errc::refused || error.reason.word() == "keyChangeUnsupported" ||
           (!error.problem_type.empty() && error.code != Errc::unavailable);
}

Result<void> roll_over(const Options& options, cli::Io& io)
{
    const auto& file = options.client.account_file;
    if (!options.next_key_type.empty()) ACMETOOL_CHECK(crypto::check_key_type(options.next_key_type));
    ACMETOOL_TRY(state, acme::StateDirectory::open(options.client.state_directory, file));
    ACMETOOL_TRY(lock, state.lock({"orders", "rollover"}, io.context()));
    static_cast<void>(lock);
    ACMETOOL_TRY(account, acme::load_account(file));
    const auto key_file = acme::beside(file, account.key_file);
    if (crypto::is_key_uri(key_file))
        return fail(Errc::usage,
                    fmt::format("the account's key is {}: only a key in a file can be replaced", key_file),
                    "register a new account with another --key, then deactivate this one", "keyUri");
    const auto next_file = acme::next_key_file(key_file);
    const auto ca_file = io.ca_file().empty() ? acme::beside(file, account.ca_file) : io.ca_file();
    ACMETOOL_TRY(passphrase, acme::passphrase_for(key_file, options.client.passphrase, io.context()));
    ACMETOOL_TRY(current, acme::load_account_key(key_file, passphrase, &io.context()));
    ACMETOOL_TRY(client, acme::Client::connect(account.directory, ca_file, current,
                                               io.timeout().value_or(options.client.timeout), io.context()));
    client->set_account_url(account.url);
    if (client->directory().key_change.empty()) return acme::change_key(*client, current); // says so
    std::error_code none;
    const bool interrupted = std::filesystem::exists(next_file, none);
    ACMETOOL_TRY(next, next_key(next_file, current, options, passphrase, io));
    std::optional<acme::AccountStatus> status;
    if (interrupted) {
        ACMETOOL_TRY(known, status_under(next, account, ca_file, options, io));
        status = std::move(known);
    }
    if (!status) {
        const auto changed = acme::change_key(*client, next);
        auto known = status_under(next, account, ca_file, options, io);
        if (!known && known.error().reason.word() == "keyInUse") return fail(known.error());
        if (!known || !*known) {
            auto error =
                !changed ? changed.error()
                : !known
                    ? known.error()
                    : Error{.code = Errc::protocol,
                            .message = "keyChange: the CA accepted the request but does not know the new key",
                            .hint = {},
                            .reason = "keyNotChanged",
                            .problem_type = {},
                            .problem = {},
                            .retry_after = {}};
            // The CA refused and does not know the key: remove it. After any other failure the outcome is
            // unknown.
            if (known && !changed && is_refusal(changed.error()))
                std::filesystem::remove(next_file, none);
            else
                error.hint = fmt::format("it is unknown whether the CA accepted the new key: {} is kept; run "
                                         "the same command again",
                                         next_file);
            return fail(std::move(error));
        }
        status = std::move(*known);
    }
    if (std::rename(next_file.c_str(), key_file.c_str()) != 0)
        return fail(
            Errc::cannot_create,
            fmt::format("{}: cannot be replaced with {}: {}", key_file, next_file, std::strerror(errno)),
            "the CA already uses the new key: make the folder writable and run the same command again");
    return print(account, *status, io);
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"acme-account", "manage an ACME account"};
    Options options;

    auto& registering = program.verb("register", "create an account, or find the key's existing account");
    cli::add_account(registering, options.client);
    registering.option("--directory URL", options.directory, "ACME directory of the CA")
        .option("--contact URL", options.registration.contact,
                "Contact URL, such as mailto:ops@example.com (repeatable)")
        .flag("--agree-tos", options.registration.agree_tos, "Agree to the CA's terms of service")
        .flag("--only-existing", options.registration.only_existing,
              "Only find the key's account; do not create one")
        .option("--key-type TYPE", options.key_type, "Type of the new key")
        .suggestions(crypto::key_types())
        .option("--key KEY", options.key, "Private key (file or URI) to use instead of a new one")
        .option("--eab-kid ID", options.eab_kid, "Key identifier of an existing non-ACME account at the CA")
        .option("--eab-key-file FILE", options.eab_key_file, "MAC key of that account (base64url)")
        .example("acme-account register --directory https://acme.example/directory --agree-tos \\\n"
                 "    --account acct.json")
        .action([&](cli::Io& io) { return register_account(options, io); });

    auto& show = program.verb("show", "print the account as the CA has it");
    cli::add_account(show, options.client);
    show.example("acme-account show --account acct.json");
    show.action([&](cli::Io& io) {
        return with_account(options, io,
                            [](acme::Client& client, const Options&) { return acme::fetch_account(client); });
    });

    auto& update = program.verb("update", "replace the contact URLs");
    cli::add_account(update, options.client);
    update
        .option("--contact URL", options.registration.contact,
                "New contact URL (repeatable); if absent, remove all contacts")
        .example("acme-account update --account acct.json --contact mailto:ops@example.com")
        .action([&](cli::Io& io) -> Result<void> {
            ACMETOOL_CHECK(check_contacts(options));
            return with_account(options, io, [](acme::Client& client, const Options& given) {
                return acme::update_account(client, given.registration.contact);
            });
        });

    auto& rolling = program.verb("rollover", "replace the account's key");
    cli::add_account(rolling, options.client);
    rolling
        .option("--key-type TYPE", options.next_key_type,
                "Type of the new key; default: that of the current key")
        .suggestions(crypto::key_types())
        .example("acme-account rollover --account acct.json")
        .action([&](cli::Io& io) { return roll_over(options, io); });

    auto& deactivate = program.verb("deactivate", "deactivate the account permanently");
    cli::add_account(deactivate, options.client);
    deactivate.example("acme-account deactivate --account acct.json");
    deactivate.action([&](cli::Io& io) {
        return with_account(options, io, [](acme::Client& client, const Options&) {
            return acme::deactivate_account(client);
        });
    });
    return program.main(argc, argv);
}
