// Voucher-requests of registrars at a MASA, check_registrar_request() and decide(). The first octet says how
// it is signed (the constants below), two octets the size of the pledge's JSON, which follows; the rest is
// the registrar's. Both are signed with keys that the MASA believes, or with those of others. In the texts,
// @prior stands for the pledge's signed request, @registrar for the certificate of its signer, @now for the
// time. kAsItCame: the rest is a signed document as it came.
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/base64url.h"
#include "brski/idevid.h"
#include "brski/masa.h"
#include "chain_maker.h"

using namespace acmetool;

namespace
{

constexpr unsigned kRequestJws = 1;    ///< the registrar's request
constexpr unsigned kPriorJws = 2;      ///< the pledge's
constexpr unsigned kOtherDevice = 4;   ///< the pledge's is signed by another device of the manufacturer
constexpr unsigned kStrangeDevice = 8; ///< ... by a device of another manufacturer
constexpr unsigned kNoRegistrar = 16;  ///< the registrar's certificate lacks id-kp-cmcRA
constexpr unsigned kPinRegistrar = 32;
constexpr unsigned kOwnersOnly = 64; ///< the device belongs to another domain
constexpr unsigned kAsItCame = 128;

struct MasaWorld {
    fuzz::Identity maker = fuzz::make_authority("maker");
    fuzz::Identity device = fuzz::make_identity("device", "SN-1", &maker, {});
    fuzz::Identity other = fuzz::make_identity("device", "SN-2", &maker, {});
    fuzz::Identity strange_maker = fuzz::make_authority("maker");
    fuzz::Identity strange = fuzz::make_identity("device", "SN-1", &strange_maker, {});
    fuzz::Identity domain = fuzz::make_authority("domain");
    fuzz::Identity registrar =
        fuzz::make_identity("registrar", "", &domain, {{"extendedKeyUsage", "1.3.6.1.5.5.7.3.28"}});
    fuzz::Identity client = fuzz::make_identity("client", "", &domain, {{"extendedKeyUsage", "clientAuth"}});
    base::TimePoint now = base::now();
};

void fill_in(std::string& text, std::string_view word, std::string_view value)
{
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + value.size()))
        text.replace(at, word.size(), value);
}

} // namespace

extern "C" int fuzz_masa(const unsigned char* data, std::size_t size)
{
    static const MasaWorld world;
    if (size < 3) return 0;
    const unsigned how = data[0];
    brski::MasaPolicy policy;
    policy.knowledge.idevid_anchors = crypto::AnchorStore{{world.maker.certificate}};
    policy.pin = (how & kPinRegistrar) != 0 ? brski::Pin::registrar : brski::Pin::domain;
    policy.owners_only = (how & kOwnersOnly) != 0;
    if (policy.owners_only) policy.owners = {{"SN-1", std::string(64, '0')}};

    if ((how & kAsItCame) != 0) {
        const auto envelope = brski::parse_envelope({data + 1, size - 1});
        // Nobody signs for the registrar or the device.
        if (envelope && brski::decide(*envelope, policy, world.now)) __builtin_trap();
        return 0;
    }
    std::string_view rest{reinterpret_cast<const char*>(data) + 3, size - 3};
    const auto count = std::min<std::size_t>(std::size_t{data[1]} << 8U | data[2], rest.size());
    std::string prior{rest.substr(0, count)};
    std::string request{rest.substr(count)};
    const auto& signer = (how & kNoRegistrar) != 0 ? world.client : world.registrar;
    const auto certificate = base::to_base64(signer.certificate.der());
    for (auto* text : {&prior, &request}) {
        fill_in(*text, "@registrar", certificate);
        fill_in(*text, "@now", base::to_rfc3339(world.now));
    }
    const auto& pledge = (how & kStrangeDevice) != 0 ? world.strange
                         : (how & kOtherDevice) != 0 ? world.other
                                                     : world.device;
    const auto signed_prior =
        brski::seal(prior, (how & kPriorJws) != 0 ? brski::Format::jws : brski::Format::cms,
                    {pledge.key, {pledge.certificate}});
    if (!signed_prior) return 0;
    fill_in(request, "@prior", base::to_base64(*signed_prior));
    const auto format = (how & kRequestJws) != 0 ? brski::Format::jws : brski::Format::cms;
    const auto octets =
        brski::seal(request, format, {signer.key, {signer.certificate, world.domain.certificate}});
    if (!octets) return 0;
    const auto envelope = brski::parse_envelope(*octets, format);
    if (!envelope) return 0;
    const auto grant = brski::decide(*envelope, policy, world.now);
    if (!grant) {
        if (brski::http_status_of(grant.error()) / 100 != 4) __builtin_trap();
        return 0;
    }
    // A voucher is for the device that signed, its registrar and its nonce, and can be read.
    const auto& pinned = policy.pin == brski::Pin::registrar ? world.registrar : world.domain;
    const auto& voucher = grant->voucher;
    if ((how & (kStrangeDevice | kNoRegistrar | kOwnersOnly)) != 0 || voucher.nonce.empty() ||
        voucher.serial_number != ((how & kOtherDevice) != 0 ? "SN-2" : "SN-1") ||
        voucher.pinned_domain_cert != pinned.certificate.der() ||
        !brski::parse_voucher(brski::to_json(voucher)))
        __builtin_trap();
    return 0;
}
