// Certificates of hostile devices, servers and registrars: what is read of them, and paths from them to an
// anchor. The input is a chain: certificates in DER, each with two octets of length before it. They are taken
// as they came, which no anchor vouches for, and once more with the names, keys and signatures that a chain
// below the anchor has, so that whatever else they hold is looked at.
#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "acme/certificate_id.h"
#include "base/text.h"
#include "brski/idevid.h"
#include "chain_maker.h"
#include "crypto/anchor_store.h"
#include "crypto/extension.h"
#include "crypto/subject.h"
#include "enrol/device_label.h"

using namespace acmetool;

namespace
{

void trap_unless(bool held)
{
    if (!held) __builtin_trap();
}

/// What a relay, a registrar and a MASA read of a device's certificate.
void read_device(const crypto::Certificate& certificate)
{
    for (const char* field : {"serialNumber", "commonName", "hardwareModuleName", "2.5.4.45"}) {
        const auto serial = enrol::device_serial(certificate, {field});
        if (!serial) continue;
        // It becomes a name, and is compared, stored and shown.
        const auto label = enrol::device_label(*serial);
        trap_unless(!label.empty() && label.size() <= 63 && base::to_lower(label) == label);
        trap_unless(std::all_of(label.begin(), label.end(), [](char c) {
            return c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
        }));
    }
    if (const auto url = brski::masa_url(certificate); url && *url) {
        trap_unless((*url)->starts_with("https://") && base::printable(**url, 2000) == **url);
        trap_unless((*url)->find_first_of(" \"<>\\") == std::string::npos);
    }
    for (const auto& identifier : certificate.identifiers())
        trap_unless(base::printable(identifier.value, std::size_t{1} << 20U) == identifier.value);
    static_cast<void>(base::printable(certificate.subject()).size());
    static_cast<void>(base::printable(certificate.issuer()).size());
    static_cast<void>(crypto::subject_key_id(certificate).has_value());
    static_cast<void>(certificate.authority_key_id().size());
    static_cast<void>(brski::idevid_issuer(certificate).size());
    static_cast<void>(acme::certificate_id(certificate).has_value());
    static_cast<void>(crypto::is_valid_for(certificate, "device.example.com"));
    static_cast<void>(crypto::is_valid_for(certificate, "192.0.2.1"));
    static_cast<void>(crypto::has_extended_key_usage(certificate, crypto::kCmcRaPurpose));
    static_cast<void>(crypto::is_ca(certificate));
    static_cast<void>(certificate.public_key().type().size());
    static_cast<void>(certificate.public_key().spki_sha256().size());
    static_cast<void>(certificate.serial().size());
    static_cast<void>(certificate.not_before());
    static_cast<void>(certificate.not_after());
}

/// True if any of the policies finds a path.
bool leads_to(const crypto::AnchorStore& anchors, const std::vector<crypto::Certificate>& chain)
{
    const auto now = base::now();
    bool found = false;
    for (const auto& policy : {crypto::PathPolicy::tls_server(), crypto::PathPolicy::known_est_server(),
                               crypto::PathPolicy::idevid(now), crypto::PathPolicy::voucher_signer(now),
                               crypto::PathPolicy::registrar(now), crypto::PathPolicy::issued(now)})
        found = anchors.verify(chain, policy).has_value() || found;
    return found;
}

} // namespace

extern "C" int fuzz_path(const unsigned char* data, std::size_t size)
{
    static const auto anchor = fuzz::make_authority("anchor");
    static const crypto::AnchorStore anchors{{anchor.certificate}};
    const auto chain = fuzz::read_chain({data, size});
    if (chain.empty()) return 0;
    for (const auto& certificate : chain)
        read_device(certificate);
    static_cast<void>(crypto::issuer_chain(chain.front(), chain, crypto::ChainEnd::root).size());
    trap_unless(!leads_to(anchors, chain));
    const auto below = fuzz::below(anchor, chain);
    if (below.empty()) return 0;
    read_device(below.front());
    static_cast<void>(crypto::issuer_chain(below.front(), below, crypto::ChainEnd::below_root).size());
    static_cast<void>(leads_to(anchors, below));
    return 0;
}
