// acme-account: an ACME account at a CA (RFC 8555 section 7.3).
#include <filesystem>

#include <nlohmann/json.hpp>

#include "acme/account.h"
#include "acme/registration.h"
#include "base/text.h"
#include "cli/options.h"
#include "cli/program.h"
#include "store/atomic_file.h"

using namespace acmetool;

namespace
{

struct Options {
    acme::ClientOptions client;
    acme::Registration registration;
    std::string directory;
    std::string key_type = "ec:P-256";
    std::string key;
};

Result<void> print(const acme::AccountFile& account, const acme::AccountStatus& status, cli::Io& io)
{
    base::Json members{{"directory", account.directory}, {"url", status.url},
                       {"status", status.status},        {"keyFile", account.key_file},
                       {"contact", status.contact},      {"created", status.created}};
    // All that the account file holds: --output may name that very file.
    if (!account.ca_file.empty()) members["caFile"] = account.ca_file;
    return io.write_document("account", members);
}

/// The key that an earlier, interrupted registration made is used again: one account, not two.
Result<crypto::Key> account_key(const std::string& path, const Options& options, cli::Io& io)
{
    std::error_code none;
    if (!options.key.empty() || std::filesystem::exists(path, none)) return acme::load_account_key(path);
    ACMETOOL_TRY(key, crypto::generate_key(options.key_type));
    ACMETOOL_TRY(pem, key.to_pem());
    const auto written = io.write_key(path, pem.reveal());
    // Another run was faster: its key is the account's, and both find the one account.
    if (!written && written.error().reason == "fileExists") return acme::load_account_key(path);
    if (!written) return fail(written.error());
    return key;
}

Result<void> register_account(Options& options, cli::Io& io)
{
    namespace fs = std::filesystem;
    const auto& file = options.client.account_file;
    std::error_code none;
    if (fs::exists(file, none)) {
        ACMETOOL_TRY(known, acme::load_account(file));
        if (!options.directory.empty() && known.directory != options.directory)
            return fail(Errc::cannot_create, file + " is an account at " + known.directory,
                        "name another file with --account", "accountExists");
        options.directory = known.directory;
        options.key = acme::beside(file, known.key_file);
    }
    if (options.directory.empty())
        return fail(Errc::usage, "no CA given", "--directory URL names the CA's directory", "noDirectory");
    for (const auto& contact : options.registration.contact)
        if (contact.find(':') == std::string::npos)
            return fail(Errc::usage, "--contact " + base::printable(contact) + ": not a URL",
                        "for example mailto:ops@example.com", "badContact");

    acme::AccountFile account;
    account.directory = options.directory;
    const auto folder = fs::path{file}.parent_path();
    const auto key_path =
        options.key.empty() ? fs::path{file}.replace_extension(".key") : fs::path{options.key};
    account.key_file =
        key_path.parent_path() == folder ? key_path.filename().string() : fs::absolute(key_path).string();
    if (!io.ca_file().empty()) account.ca_file = fs::absolute(io.ca_file()).string();
    account.contact = options.registration.contact;
    // The folder is tried before the CA is asked: an account whose file cannot be kept would be lost.
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

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"acme-account", "manage an ACME account"};
    Options options;

    auto& registering = program.verb("register", "make an account at a CA, or find the key's");
    cli::add_account(registering, options.client);
    registering.option("--directory", options.directory, "URL of the CA's directory")
        .option("--contact", options.registration.contact, "Contact URL, mailto:ops@example.com (repeatable)")
        .flag("--agree-tos", options.registration.agree_tos, "You agree to the CA's terms of service")
        .flag("--only-existing", options.registration.only_existing, "Find the account of the key; make none")
        .option("--key-type", options.key_type, "Type of the key to make")
        .option("--key", options.key, "Use this private key instead of making one")
        .action([&](cli::Io& io) { return register_account(options, io); });

    auto& show = program.verb("show", "read the account from the CA");
    cli::add_account(show, options.client);
    show.action([&](cli::Io& io) {
        return with_account(options, io,
                            [](acme::Client& client, const Options&) { return acme::fetch_account(client); });
    });

    auto& update = program.verb("update", "replace the contacts");
    cli::add_account(update, options.client);
    update.option("--contact", options.registration.contact, "Contact URL (repeatable); none removes all")
        .action([&](cli::Io& io) {
            return with_account(options, io, [](acme::Client& client, const Options& given) {
                return acme::update_account(client, given.registration.contact);
            });
        });

    auto& deactivate = program.verb("deactivate", "end the account, for good");
    cli::add_account(deactivate, options.client);
    deactivate.action([&](cli::Io& io) {
        return with_account(options, io, [](acme::Client& client, const Options&) {
            return acme::deactivate_account(client);
        });
    });
    return program.main(argc, argv);
}
