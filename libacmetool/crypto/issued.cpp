#include "crypto/issued.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::crypto
{
namespace
{

constexpr std::size_t kShownNames = 200;

std::string names_of(const Certificate& certificate)
{
    std::string names;
    for (const auto& identifier : certificate.identifiers())
        names += (names.empty() ? "" : ", ") + identifier.value;
    if (names.empty()) names = certificate.subject();
    return names.empty() ? "no name" : base::printable(names, kShownNames);
}

} // namespace

Result<std::vector<Certificate>> own_first(std::vector<Certificate> certificates, const Csr& csr)
{
    const auto own =
        std::find_if(certificates.begin(), certificates.end(), [&](const Certificate& certificate) {
            return certificate.public_key().same_public_key(csr.key);
        });
    if (own == certificates.end())
        return fail(
            Errc::protocol,
            certificates.empty()
                ? "the server's answer contains no certificate"
                : fmt::format("the server's answer contains no certificate for our key, but one for {}",
                              names_of(certificates.front())),
            "the server answered with the certificate of another client: report it to its operator",
            "otherKey");
    const auto got = own->identifiers();
    for (const auto& wanted : csr.identifiers)
        if (std::find(got.begin(), got.end(), wanted) == got.end())
            return fail(
                Errc::protocol,
                fmt::format("the certificate is not for {}, which the request contained, but for {}; it "
                            "was discarded",
                            base::printable(wanted.value, kShownNames), names_of(*own)),
                "the server's CA ignores or replaces the names of requests: ask its operator",
                "certificateNames");
    std::rotate(certificates.begin(), own, own + 1);
    return certificates;
}

} // namespace acmetool::crypto
