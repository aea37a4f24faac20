#include "est/journal.h"

#include <unistd.h>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "store/atomic_file.h"
#include "store/configured.h"

namespace acmetool::est
{
namespace
{

constexpr std::string_view kType = "est-journal";

} // namespace

Result<std::optional<Journal>> read_journal(const std::string& path)
{
    if (!has_journal(path)) return std::optional<Journal>{};
    ACMETOOL_TRY(text, store::read_file(path));
    const auto json = base::parse_json_object(text, path);
    if (!json || base::string_member(*json, "type") != kType)
        return fail(Errc::config, fmt::format("{}: not the journal of an enrolment", path),
                    "if the file is not needed, remove it", "journal");
    Journal journal;
    journal.url = base::string_member(*json, "url").value_or("");
    journal.key_file = base::string_member(*json, "keyFile").value_or("");
    journal.asked = base::string_member(*json, "asked").value_or("");
    journal.wanted = base::string_member(*json, "wanted").value_or("");
    journal.csr = base::string_member(*json, "csr").value_or("");
    journal.received = base::string_member(*json, "received").value_or("");
    journal.certificate = base::string_member(*json, "certificate").value_or("");
    return journal;
}

Result<void> write_journal(const std::string& path, const Journal& journal)
{
    const base::Json json{{"type", kType},
                          {"version", 1},
                          {"url", journal.url},
                          {"keyFile", journal.key_file},
                          {"asked", journal.asked},
                          {"wanted", journal.wanted},
                          {"csr", journal.csr},
                          {"received", journal.received},
                          {"certificate", journal.certificate}};
    auto done = store::write_atomically(path, base::to_text(json, 2) + "\n", 0600);
    if (!done) return fail(with_context(std::move(done).error(), "journal"));
    return {};
}

bool has_journal(const std::string& path)
{
    return ::access(path.c_str(), F_OK) == 0;
}

Result<store::FileLock> lock_journal(const std::string& path, base::Context& context)
{
    auto lock = store::FileLock::acquire(path + ".lock", context);
    if (!lock) return fail(with_context(std::move(lock).error(), "journal"));
    return lock;
}

void remove_journal(const std::string& path)
{
    unlink(path.c_str());
}

Result<std::optional<crypto::Key>> key_of_before(const Journal& journal, const std::string& file)
{
    if (::access(file.c_str(), F_OK) != 0) return std::optional<crypto::Key>{};
    if (journal.key_file != file)
        return fail(Errc::cannot_create, fmt::format("{}: already exists", file),
                    "keys are never overwritten: choose another file", Cause::file_exists);
    ACMETOOL_TRY(key, store::read_configured_key(file));
    return std::optional{std::move(key)};
}

Result<void> keep_key(const std::string& path, Journal& journal, const std::string& file,
                      const crypto::Key& key)
{
    journal.key_file = file;
    ACMETOOL_CHECK(write_journal(path, journal));
    ACMETOOL_TRY(pem, key.to_pem());
    return store::create_secret(file, pem.reveal());
}

std::optional<crypto::Csr> csr_of_before(const Journal& journal, const std::string& asked,
                                         const crypto::Key& key)
{
    if (journal.csr.empty() || journal.asked != asked) return std::nullopt;
    auto csr = crypto::parse_csr(journal.csr);
    if (!csr || !csr->key.same_public_key(key)) return std::nullopt;
    return *csr;
}

} // namespace acmetool::est
