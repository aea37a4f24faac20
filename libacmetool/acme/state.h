#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "store/file_lock.h"

namespace acmetool::acme
{

/// The state of the ACME programs between runs: directory document, unused nonces, orders, authorizations and
/// data about certificates.
///
/// If the place is read-only or missing, nothing is stored, which is not an error. Every file is replaced
/// atomically and has mode 0600.
class ACMETOOL_EXPORT StateDirectory
{
public:
    StateDirectory() = default; ///< stores nothing
    /// `path`, else "<account_file>.d", else acme-integrations/ in the user's cache folder, else nothing.
    /// Errors: config if the operator gave `path` and it cannot be used.
    static Result<StateDirectory> open(const std::string& path, const std::string& account_file);

    /// The one that is there, for those who only look: makes nothing, and stands for nothing if there is none
    /// in the usual places. Errors: config if this user cannot read it, or `path` is none.
    static Result<StateDirectory> find(const std::string& path, const std::string& account_file);

    bool usable() const { return !path_.empty(); }
    const std::string& path() const { return path_; }

    std::optional<std::string> cached_directory(std::string_view url, base::TimePoint now) const;
    void cache_directory(std::string_view url, std::string_view json, base::TimePoint now);
    void forget_directory();

    /// Nonces that an earlier run did not use; they are removed, so that no other run uses them.
    std::vector<std::string> take_nonces(std::string_view directory_url);
    void keep_nonces(std::string_view directory_url, const std::vector<std::string>& nonces);

    /// An entry of orders/, authz/ or certificates/: its kind and id.
    struct Key {
        std::string kind; ///< "orders", "authz" or "certificates"
        std::string id;   ///< hexadecimal
    };
    /// Waits until no other process works on the entry. Without state, the lock has no effect.
    Result<store::FileLock> lock(const Key& key, base::Context& context);
    Result<std::optional<base::Json>> load(const Key& key) const;
    /// Durable when it returns (fsync). Without state, does nothing.
    Result<void> save(const Key& key, const base::Json& entry);
    void erase(const Key& key);
    std::vector<std::string> list(std::string_view kind) const;

private:
    std::string file_of(const Key& key) const;
    std::string path_;
};

/// A failure of an earlier run, as an entry keeps it until a run succeeds.
struct KeptFailure {
    base::TimePoint at;
    std::string code;                          ///< name_of() the error
    std::string message;                       ///< may have a peer's words
    std::string hint;                          ///< may be empty
    std::optional<base::TimePoint> not_before; ///< as the peer asked (Retry-After)
};
ACMETOOL_EXPORT void keep_failure(base::Json& entry, const Error& error, base::TimePoint now);
ACMETOOL_EXPORT void forget_failure(base::Json& entry);
ACMETOOL_EXPORT std::optional<KeptFailure> kept_failure(const base::Json& entry);

/// The time in a member of an entry, if there is one.
ACMETOOL_EXPORT std::optional<base::TimePoint> time_member(const base::Json& entry, std::string_view name);

/// SHA-256 in hexadecimal of the parts, each preceded by its length.
ACMETOOL_EXPORT std::string entry_id(const std::vector<std::string_view>& parts);

} // namespace acmetool::acme
