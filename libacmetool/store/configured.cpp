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
    if (outcome.error().code != Errc::interrupted) outcome.error().code = Errc::config;
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

Result<std::vector<crypto::Crl>> read_configured_crls(const std::string& file, std::string_view what)
{
    ACMETOOL_TRY(text, read_configured(file, what));
    return as_configured(crypto::parse_crls(text, file), what);
}

Result<std::shared_ptr<const crypto::CrlSet>>
read_crl_sources(const crypto::CrlOptions& options, std::shared_ptr<const crypto::FetchedCrls> fetched)
{
    if (options.sources.empty()) return nullptr;
    std::vector<crypto::Crl> crls;
    std::vector<std::string> urls;
    for (const auto& source : options.sources) {
        if (crypto::is_crl_url(source)) {
            urls.push_back(source);
            continue;
        }
        ACMETOOL_TRY(found, read_configured_crls(source));
        crls.insert(crls.end(), found.begin(), found.end());
    }
    return std::make_shared<const crypto::CrlSet>(std::move(crls), std::move(urls), std::move(fetched),
                                                  options.stale);
}

Result<std::shared_ptr<const crypto::CrlSet>> read_crl_files(const std::vector<std::string>& files,
                                                             std::string_view what)
{
    if (files.empty()) return nullptr;
    std::vector<crypto::Crl> crls;
    for (const auto& file : files) {
        ACMETOOL_TRY(found, read_configured_crls(file, what));
        crls.insert(crls.end(), found.begin(), found.end());
    }
    return std::make_shared<const crypto::CrlSet>(std::move(crls), crypto::StaleCrl::refuse);
}

Result<crypto::Key> read_configured_key(const std::string& file, std::string_view what,
                                        const base::Secret& passphrase)
{
    ACMETOOL_TRY(pem, read_configured_secret(file, what));
    return crypto::parse_private_key(pem.reveal(), file, passphrase);
}

} // namespace acmetool::store
