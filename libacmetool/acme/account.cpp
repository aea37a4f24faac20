#include "acme/account.h"

#include <filesystem>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/directory.h"
#include "base/json.h"
#include "crypto/key_uri.h"
#include "store/atomic_file.h"
#include "store/configured.h"
#include "store/secret_file.h"

namespace acmetool::acme
{

std::string beside(const std::string& account_path, const std::string& file)
{
    if (file.empty() || crypto::is_key_uri(file)) return file;
    return (std::filesystem::path{account_path}.parent_path() / file).string();
}

Result<AccountFile> load_account(const std::string& path)
{
    std::error_code none;
    if (!std::filesystem::exists(path, none))
        return fail(Errc::config, fmt::format("account file {}: does not exist", path),
                    "create one with acme-account register, or choose another with --account",
                    Cause::no_account);
    ACMETOOL_TRY(text, store::read_file(path));
    const auto what = fmt::format("account file {}", path);
    const auto broken = [](Error error) {
        error.code = Errc::config;
        error.reason = "badAccountFile";
        return fail(std::move(error));
    };
    const auto object = base::parse_json_object(text, what);
    if (!object) return broken(object.error());
    AccountFile account;
    const bool uri = base::string_member(*object, "keyUri").has_value();
    for (const auto& [name, member] :
         {std::pair{"directory", &account.directory}, std::pair{"url", &account.url},
          std::pair{uri ? "keyUri" : "keyFile", &account.key_file}}) {
        auto value = base::required_string(*object, name, what);
        if (!value) return broken(value.error());
        *member = std::move(*value);
    }
    if (crypto::is_key_uri(account.key_file) != uri)
        return broken(
            Error{.code = Errc::config,
                  .message = fmt::format("{}: \"keyUri\" is not a URI, or \"keyFile\" is one", what),
                  .hint = {},
                  .reason = {},
                  .problem_type = {},
                  .problem = {},
                  .retry_after = {}});
    account.ca_file = base::string_member(*object, "caFile").value_or("");
    if (const auto list = object->find("contact"); list != object->end() && list->is_array())
        for (const auto& entry : *list)
            if (entry.is_string()) account.contact.push_back(entry.get<std::string>());
    if (origin_of(account.directory).empty())
        return broken(Error{.code = Errc::config,
                            .message = fmt::format("{}: \"directory\" is not an https URL", what),
                            .hint = {},
                            .reason = {},
                            .problem_type = {},
                            .problem = {},
                            .retry_after = {}});
    return account;
}

std::string to_json(const AccountFile& account)
{
    base::Json object{{"type", "account"},
                      {"version", 1},
                      {"directory", account.directory},
                      {"url", account.url},
                      {crypto::is_key_uri(account.key_file) ? "keyUri" : "keyFile", account.key_file},
                      {"contact", account.contact}};
    if (!account.ca_file.empty()) object["caFile"] = account.ca_file;
    return base::to_text(object, 2) + "\n";
}

Result<void> save_account(const std::string& path, const AccountFile& account)
{
    return store::write_atomically(path, to_json(account), 0600);
}

Result<crypto::Key> load_private_key(const std::string& path, std::string_view what, std::string_view hint,
                                     const base::Secret& passphrase, base::Context* warned)
{
    if (crypto::is_key_uri(path)) {
        auto key = crypto::load_key_uri(path, passphrase);
        return key ? std::move(key) : fail(with_context(std::move(key).error(), what));
    }
    if (const auto exposure = store::exposure_of(path); exposure && exposure->is_ours)
        return fail(Errc::config, fmt::format("{} {}", what, exposure->text), exposure->hint,
                    "keyPermissions");
    if (warned != nullptr) store::warn_if_exposed(path, what, *warned);
    auto secret = store::read_configured_secret(path);
    if (!secret) {
        secret.error().hint = hint;
        return fail(std::move(secret).error());
    }
    return crypto::parse_private_key(secret->reveal(), fmt::format("{} {}", what, path), passphrase);
}

Result<crypto::Key> load_account_key(const std::string& path, const base::Secret& passphrase,
                                     base::Context* warned)
{
    return load_private_key(path, "account key", "the path is \"keyFile\" in the account file", passphrase,
                            warned);
}

Result<void> check_key_is_fresh(const std::string& account_path, const std::string& directory,
                                const crypto::Key& key)
{
    namespace fs = std::filesystem;
    std::error_code none;
    const auto folder = fs::path{account_path}.parent_path();
    for (const auto& file : fs::directory_iterator{folder.empty() ? fs::path{"."} : folder, none}) {
        if (file.path().extension() != ".json" || !file.is_regular_file(none) ||
            fs::equivalent(file.path(), account_path, none))
            continue;
        const auto other = load_account(file.path().string());
        if (!other || other->directory == directory) continue;
        const auto other_key = load_account_key(beside(file.path().string(), other->key_file));
        if (other_key && other_key->same_public_key(key))
            return fail(Errc::bad_input,
                        fmt::format("the key already belongs to another account: {} at {}",
                                    file.path().string(), other->directory),
                        "each account requires its own key (RFC 8555 section 11.1): omit --key to create one",
                        "keyInUse");
    }
    return {};
}

} // namespace acmetool::acme
