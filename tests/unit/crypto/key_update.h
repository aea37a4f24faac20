#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "crypto/certificate_builder.h"
#include "crypto/key.h"

namespace acmetool::test
{

/// A CA that has changed its root's key (RFC 4210 section 4.4), with an intermediate under the new one.
struct KeyUpdate {
    base::TimePoint now = base::now();
    crypto::Key old_key = *crypto::generate_key("ec:P-256");
    crypto::Key new_key = *crypto::generate_key("ec:P-256");
    crypto::Key middle_key = *crypto::generate_key("ec:P-256");
    crypto::Certificate old_with_old = ca("Root", old_key, nullptr, old_key, 1000);
    crypto::Certificate new_with_new = ca("Root", new_key, nullptr, new_key, 2000);
    crypto::Certificate old_with_new = ca("Root", old_key, &new_with_new, new_key, 1000);
    crypto::Certificate new_with_old = ca("Root", new_key, &old_with_old, old_key, 1000);
    crypto::Certificate middle = ca("Intermediate", middle_key, &new_with_new, new_key, 1000);

    crypto::Certificate make(const std::string& name, const crypto::Key& key,
                             const crypto::Certificate* issuer, const crypto::Key& issuer_key, int hours,
                             bool is_ca, std::vector<std::pair<std::string, std::string>> more = {}) const
    {
        crypto::CertificateProfile profile;
        profile.common_name = name;
        profile.not_before = now - std::chrono::hours{1};
        profile.not_after = now + std::chrono::hours{hours};
        profile.extensions = std::move(more);
        profile.extensions.emplace_back("basicConstraints", is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
        profile.extensions.emplace_back("subjectKeyIdentifier", "hash");
        if (issuer != nullptr) profile.extensions.emplace_back("authorityKeyIdentifier", "keyid:always");
        auto made = crypto::build_certificate(profile, key, issuer, issuer_key);
        REQUIRE_MESSAGE(made, made.error().message);
        return *made;
    }
    crypto::Certificate ca(const std::string& name, const crypto::Key& key, const crypto::Certificate* issuer,
                           const crypto::Key& issuer_key, int hours) const
    {
        return make(name, key, issuer, issuer_key, hours, true);
    }
    /// An end entity of the intermediate.
    crypto::Certificate end(std::vector<std::pair<std::string, std::string>> more = {}) const
    {
        return make("end", middle_key, &middle, middle_key, 100, false, std::move(more));
    }
};

inline bool contains_once(const std::vector<crypto::Certificate>& all, const crypto::Certificate& one)
{
    return std::count_if(all.begin(), all.end(),
                         [&](const auto& other) { return other.sha256() == one.sha256(); }) == 1;
}

} // namespace acmetool::test
