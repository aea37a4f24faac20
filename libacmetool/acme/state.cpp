#include "acme/state.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "store/atomic_file.h"

namespace acmetool::acme
{
namespace
{

namespace fs = std::filesystem;
using base::Json;

constexpr std::chrono::hours kDirectoryLife{24};
constexpr std::size_t kMostNonces = 10;

/// True if the folder with its subfolders exists or can be created, and is writable.
bool prepare(const fs::path& path)
{
    std::error_code problem;
    const mode_t before = umask(077);
    for (const auto* kind : {"orders", "authz", "certificates"})
        fs::create_directories(path / kind, problem);
    umask(before);
    return !problem && ::access(path.c_str(), W_OK) == 0 && ::access((path / "orders").c_str(), W_OK) == 0;
}

std::optional<Json> read_object(const std::string& path)
{
    std::error_code none;
    if (!fs::exists(path, none)) return std::nullopt;
    const auto text = store::read_file(path);
    if (!text) return std::nullopt;
    auto object = base::parse_json_object(*text, path);
    return object ? std::optional<Json>{std::move(*object)} : std::nullopt;
}

/// Where the state of an account may be, if the operator says nothing.
std::vector<fs::path> places_of(const std::string& account_file)
{
    std::vector<fs::path> places{account_file + ".d"};
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    // Two accounts must not share a folder: the cache's name contains the account file's whole name.
    std::error_code none;
    const auto id = entry_id({fs::absolute(account_file, none).string()}).substr(0, 16);
    if (cache != nullptr && *cache != '\0')
        places.push_back(fs::path{cache} / "acme-integrations" / id);
    else if (home != nullptr && *home != '\0')
        places.push_back(fs::path{home} / ".cache" / "acme-integrations" / id);
    return places;
}

} // namespace

Result<StateDirectory> StateDirectory::open(const std::string& path, const std::string& account_file)
{
    StateDirectory state;
    if (!path.empty()) {
        if (!prepare(path))
            return fail(Errc::config, fmt::format("state directory {}: cannot be created or written", path),
                        "choose another with --state", "stateDirectory");
        state.path_ = path;
        return state;
    }
    for (const auto& place : places_of(account_file))
        if (prepare(place)) {
            state.path_ = place.string();
            break;
        }
    return state;
}

Result<StateDirectory> StateDirectory::find(const std::string& path, const std::string& account_file)
{
    StateDirectory state;
    std::error_code none;
    const auto places = path.empty() ? places_of(account_file) : std::vector<fs::path>{path};
    for (const auto& place : places) {
        const auto status = fs::status(place, none);
        if (status.type() != fs::file_type::directory) continue;
        if (::access(place.c_str(), R_OK | X_OK) != 0)
            return fail(Errc::config,
                        fmt::format("state directory {}: cannot be read by this user", place.string()),
                        "run the command as the user who renews", "stateDirectory");
        if (!fs::is_directory(place / "orders", none)) continue;
        state.path_ = place.string();
        return state;
    }
    if (path.empty()) return state;
    return fail(Errc::config, fmt::format("state directory {}: is not there", path),
                "choose another with --state", "stateDirectory");
}

std::optional<std::string> StateDirectory::cached_directory(std::string_view url, base::TimePoint now) const
{
    if (!usable()) return std::nullopt;
    const auto entry = read_object(path_ + "/directory.json");
    if (!entry || base::string_member(*entry, "url") != url) return std::nullopt;
    const auto fetched = base::parse_rfc3339(base::string_member(*entry, "fetched").value_or(""));
    if (!fetched || now < *fetched || now - *fetched > kDirectoryLife) return std::nullopt;
    return base::string_member(*entry, "document");
}

void StateDirectory::cache_directory(std::string_view url, std::string_view json, base::TimePoint now)
{
    if (!usable()) return;
    const Json entry{{"url", url}, {"fetched", base::to_rfc3339(now)}, {"document", json}};
    // Losing a cache costs one request, so a full disk is not a failure here.
    static_cast<void>(store::write_atomically(path_ + "/directory.json", base::to_text(entry) + "\n", 0600,
                                              store::Durability::cache));
}

void StateDirectory::forget_directory()
{
    std::error_code none;
    if (usable()) fs::remove(path_ + "/directory.json", none);
}

std::vector<std::string> StateDirectory::take_nonces(std::string_view directory_url)
{
    std::vector<std::string> nonces;
    if (!usable()) return nonces;
    // Renamed first, so that only one of two concurrent runs gets the file.
    const auto mine = fmt::format("{}/nonces.{}", path_, getpid());
    if (rename((path_ + "/nonces.json").c_str(), mine.c_str()) != 0) return nonces;
    const auto entry = read_object(mine);
    std::error_code none;
    fs::remove(mine, none);
    if (!entry || base::string_member(*entry, "directory") != directory_url) return nonces;
    if (const auto list = entry->find("nonces"); list != entry->end() && list->is_array())
        for (const auto& nonce : *list)
            if (nonce.is_string() && nonces.size() < kMostNonces) nonces.push_back(nonce.get<std::string>());
    return nonces;
}

void StateDirectory::keep_nonces(std::string_view directory_url, const std::vector<std::string>& nonces)
{
    if (!usable() || nonces.empty()) return;
    const Json entry{{"directory", directory_url}, {"nonces", nonces}};
    static_cast<void>(store::write_atomically(path_ + "/nonces.json", base::to_text(entry) + "\n", 0600,
                                              store::Durability::cache));
}

std::string StateDirectory::file_of(const Key& key) const
{
    return fmt::format("{}/{}/{}.json", path_, key.kind, key.id);
}

Result<store::FileLock> StateDirectory::lock(const Key& key, base::Context& context)
{
    if (!usable()) return store::FileLock{};
    // Few files for any number of entries, because a lock file cannot be removed without a race.
    const auto name = key.id.size() == 64 ? key.id.substr(0, 2) : key.id;
    return store::FileLock::acquire(fmt::format("{}/{}/{}.lock", path_, key.kind, name), context);
}

Result<std::optional<Json>> StateDirectory::load(const Key& key) const
{
    std::error_code none;
    if (!usable() || !fs::exists(file_of(key), none)) return std::optional<Json>{};
    ACMETOOL_TRY(text, store::read_file(file_of(key)));
    auto entry = base::parse_json_object(text, file_of(key));
    // Entries are replaced atomically, so a malformed one was edited by hand.
    if (!entry) {
        entry.error().code = Errc::config;
        entry.error().hint = "the file is damaged; remove it and run the command again";
        return fail(std::move(entry).error());
    }
    return std::optional<Json>{std::move(*entry)};
}

Result<void> StateDirectory::save(const Key& key, const Json& entry)
{
    if (!usable()) return {};
    return store::write_atomically(file_of(key), base::to_text(entry, 1) + "\n", 0600);
}

void StateDirectory::erase(const Key& key)
{
    std::error_code none;
    if (usable()) fs::remove(file_of(key), none);
}

std::vector<std::string> StateDirectory::list(std::string_view kind) const
{
    std::vector<std::string> ids;
    std::error_code none;
    if (!usable()) return ids;
    for (const auto& file : fs::directory_iterator{fs::path{path_} / kind, none})
        if (file.path().extension() == ".json") ids.push_back(file.path().stem().string());
    std::sort(ids.begin(), ids.end());
    return ids;
}

void keep_failure(Json& entry, const Error& error, base::TimePoint now)
{
    auto& kept = entry["lastFailure"] = {
        {"at", base::to_rfc3339(now)}, {"code", name_of(error)}, {"message", error.message}};
    if (!error.hint.empty()) kept["hint"] = error.hint;
    if (error.retry_after) kept["notBefore"] = base::to_rfc3339(now + *error.retry_after);
}

void forget_failure(Json& entry)
{
    entry.erase("lastFailure");
}

std::optional<KeptFailure> kept_failure(const Json& entry)
{
    const auto found = entry.find("lastFailure");
    if (found == entry.end()) return std::nullopt;
    const auto at = time_member(*found, "at");
    if (!at) return std::nullopt;
    return KeptFailure{*at, base::string_member(*found, "code").value_or(""),
                       base::string_member(*found, "message").value_or(""),
                       base::string_member(*found, "hint").value_or(""), time_member(*found, "notBefore")};
}

std::optional<base::TimePoint> time_member(const Json& entry, std::string_view name)
{
    const auto time = base::parse_rfc3339(base::string_member(entry, name).value_or(""));
    return time ? std::optional{*time} : std::nullopt;
}

std::string entry_id(const std::vector<std::string_view>& parts)
{
    std::string text;
    for (const auto part : parts)
        text += fmt::format("{}:{};", part.size(), part);
    return to_hex(crypto::sha256(as_bytes(text)));
}

} // namespace acmetool::acme
