#include "store/configured.h"

#include "store/atomic_file.h"

namespace acmetool::store
{
namespace
{

template <class T>
Result<T> as_configured(Result<T> outcome, std::string_view what)
{
    if (outcome) return outcome;
    outcome.error().code = Errc::config;
    return what.empty() ? std::move(outcome) : fail(with_context(std::move(outcome).error(), what));
}

} // namespace

Result<std::string> read_configured(const std::string& file, std::string_view what)
{
    return as_configured(read_file(file), what);
}

Result<base::Secret> read_configured_secret(const std::string& file, std::string_view what)
{
    ACMETOOL_TRY(text, read_configured(file, what));
    return base::Secret{std::move(text)};
}

Result<std::vector<crypto::Certificate>> read_configured_certificates(const std::string& file,
                                                                      std::string_view what)
{
    ACMETOOL_TRY(pem, read_configured(file, what));
    return as_configured(crypto::parse_certificates(pem, file), what);
}

Result<crypto::Key> read_configured_key(const std::string& file, std::string_view what,
                                        const base::Secret& passphrase)
{
    ACMETOOL_TRY(pem, read_configured_secret(file, what));
    return crypto::parse_private_key(pem.reveal(), file, passphrase);
}

} // namespace acmetool::store
