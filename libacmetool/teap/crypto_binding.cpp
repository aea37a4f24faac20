#include "teap/crypto_binding.h"

#include <algorithm>

#include "base/octets.h"
#include "base/wipe.h"
#include "teap/eap.h"

namespace acmetool::teap
{
namespace
{

using base::append;

constexpr std::size_t kSeedSize = 40;
constexpr std::size_t kSImckSize = 40;
constexpr std::size_t kImckSize = 60;
constexpr std::size_t kImskSize = 32;
constexpr std::size_t kKeySize = 64;
constexpr std::size_t kMacSize = 20;
constexpr std::uint8_t kLastBit = 0x01;

void wipe(Bytes& octets)
{
    base::wipe(octets);
    octets.clear();
}

tl::unexpected<Error> bad_binding(std::string_view what)
{
    return fail(Errc::protocol, "Crypto-Binding: " + std::string{what},
                "a message was modified in transit, or peer and server derive keys differently: check that "
                "--kdf matches the server's configuration",
                "cryptoBinding");
}

Result<void> fill_macs(CryptoBinding& binding, const KeySchedule& keys, const OuterTlvs& outer)
{
    const auto buffer = mac_buffer(binding, outer);
    for (const bool emsk : {false, true}) {
        if ((binding.flags & (emsk ? CryptoBinding::kEmsk : CryptoBinding::kMsk)) == 0) continue;
        ACMETOOL_TRY(mac, keys.compound_mac(buffer, emsk));
        std::copy(mac.begin(), mac.end(), (emsk ? binding.emsk_mac : binding.msk_mac).begin());
    }
    return {};
}

} // namespace

Result<Bytes> prf(Hash hash, ByteView secret, std::string_view label, ByteView seed, std::size_t size)
{
    Bytes label_and_seed{label.begin(), label.end()};
    append(label_and_seed, seed);
    Bytes output;
    Bytes a = label_and_seed;
    while (output.size() < size) {
        ACMETOOL_TRY(next, crypto::hmac(hash, secret, a));
        a = std::move(next);
        Bytes input = a;
        append(input, label_and_seed);
        ACMETOOL_TRY(block, crypto::hmac(hash, secret, input));
        append(output, block);
    }
    output.resize(size);
    return output;
}

Result<KeySchedule> KeySchedule::start(Kdf kdf, Hash hash, Exporter exporter)
{
    KeySchedule keys;
    keys.kdf_ = kdf;
    keys.hash_ = hash;
    keys.exporter_ = std::move(exporter);
    const std::uint8_t type = eap_type::kTeap;
    ACMETOOL_TRY(
        seed, keys.exporter_("EXPORTER: teap session key seed",
                             kdf == Kdf::rfc9427 ? std::optional<ByteView>{ByteView{&type, 1}} : std::nullopt,
                             kSeedSize));
    keys.seed_ = std::move(seed);
    keys.msk_.s_imck = keys.seed_;
    keys.emsk_.s_imck = keys.seed_;
    return keys;
}

KeySchedule::~KeySchedule()
{
    for (auto* octets : {&seed_, &msk_.s_imck, &msk_.cmk, &emsk_.s_imck, &emsk_.cmk})
        wipe(*octets);
}

Result<Bytes> KeySchedule::imsk(ByteView key, bool from_emsk) const
{
    constexpr std::string_view kLabel = "TEAPbindkey@ietf.org";
    if (key.empty()) return Bytes(kImskSize);
    if (kdf_ == Kdf::rfc9427) return exporter_(kLabel, key, kImskSize);
    if (!from_emsk) {
        Bytes cut{key.begin(), key.end()};
        cut.resize(kImskSize);
        return cut;
    }
    // Erratum 5127: a NUL and the length of the whole output, of which 32 octets are used.
    const std::array<std::uint8_t, 3> context{0, 0, kKeySize};
    ACMETOOL_TRY(whole, prf(hash_, key, kLabel, context, kKeySize));
    whole.resize(kImskSize);
    return whole;
}

Result<KeySchedule::Chain> KeySchedule::advance(const Chain& chain, ByteView imsk) const
{
    Bytes imck;
    if (kdf_ == Kdf::rfc9427) {
        Bytes context = chain.s_imck;
        append(context, imsk);
        ACMETOOL_TRY(made, exporter_("EXPORTER: Inner Methods Compound Keys", context, kImckSize));
        imck = std::move(made);
        wipe(context);
    } else {
        ACMETOOL_TRY(made, prf(hash_, chain.s_imck, "Inner Methods Compound Keys", imsk, kImckSize));
        imck = std::move(made);
    }
    const auto border = imck.begin() + kSImckSize;
    Chain next{{imck.begin(), border}, {border, imck.end()}};
    wipe(imck);
    return next;
}

Result<void> KeySchedule::step(ByteView msk, ByteView emsk)
{
    ACMETOOL_TRY(from_msk, imsk(msk, false));
    ACMETOOL_TRY(msk_chain, advance(msk_, from_msk));
    wipe(from_msk);
    Chain emsk_chain = msk_chain;
    emsk_chain.cmk.clear();
    if (!emsk.empty()) {
        ACMETOOL_TRY(from_emsk, imsk(emsk, true));
        ACMETOOL_TRY(advanced, advance(emsk_, from_emsk));
        wipe(from_emsk);
        emsk_chain = std::move(advanced);
    }
    msk_ = std::move(msk_chain);
    emsk_ = std::move(emsk_chain);
    stepped_ = true;
    keyed_ = keyed_ || !msk.empty() || !emsk.empty();
    return {};
}

Result<Bytes> KeySchedule::compound_mac(ByteView buffer, bool emsk_chain) const
{
    const auto& key = cmk(emsk_chain);
    if (key.empty()) return fail(Errc::internal, "no compound MAC key for this chain yet");
    ACMETOOL_TRY(mac, crypto::hmac(hash_, key, buffer));
    mac.resize(kMacSize);
    return mac;
}

Result<ExportedKeys> KeySchedule::exported(MskSource source, bool emsk_chain) const
{
    const auto& key =
        !stepped_ || (!keyed_ && source == MskSource::seed) ? seed_ : s_imck(emsk_chain && has_emsk_chain());
    const auto make = [&](std::string_view label) {
        return kdf_ == Kdf::rfc9427 ? exporter_("EXPORTER: " + std::string{label}, key, kKeySize)
                                    : prf(hash_, key, label, {}, kKeySize);
    };
    ACMETOOL_TRY(msk, make("Session Key Generating Function"));
    ACMETOOL_TRY(emsk, make("Extended Session Key Generating Function"));
    return ExportedKeys{std::move(msk), std::move(emsk)};
}

Tlv CryptoBinding::encode() const
{
    Tlv tlv{true, tlv_type::kCryptoBinding, {0, version, received_version}};
    tlv.value.push_back(static_cast<std::uint8_t>(flags << 4U | sub_type));
    append(tlv.value, nonce);
    append(tlv.value, emsk_mac);
    append(tlv.value, msk_mac);
    return tlv;
}

Result<CryptoBinding> parse_crypto_binding(const Tlv& tlv)
{
    if (tlv.value.size() != CryptoBinding::kSize) return bad_binding("not of 76 octets");
    CryptoBinding binding;
    binding.version = tlv.value[1];
    binding.received_version = tlv.value[2];
    binding.flags = tlv.value[3] >> 4U;
    binding.sub_type = tlv.value[3] & 0x0fU;
    auto from = tlv.value.begin() + 4;
    std::copy_n(from, binding.nonce.size(), binding.nonce.begin());
    from += static_cast<std::ptrdiff_t>(binding.nonce.size());
    std::copy_n(from, binding.emsk_mac.size(), binding.emsk_mac.begin());
    from += static_cast<std::ptrdiff_t>(binding.emsk_mac.size());
    std::copy_n(from, binding.msk_mac.size(), binding.msk_mac.begin());
    return binding;
}

Bytes mac_buffer(const CryptoBinding& binding, const OuterTlvs& outer)
{
    auto bare = binding;
    bare.emsk_mac = {};
    bare.msk_mac = {};
    auto buffer = encode({bare.encode()});
    buffer.push_back(eap_type::kTeap);
    append(buffer, outer.server);
    append(buffer, outer.peer);
    return buffer;
}

Result<CryptoBinding> make_request(const KeySchedule& keys, const OuterTlvs& outer,
                                   std::uint8_t received_version)
{
    CryptoBinding binding;
    binding.version = kTeapVersion;
    binding.received_version = received_version;
    binding.sub_type = CryptoBinding::kRequest;
    binding.flags = CryptoBinding::kMsk;
    if (keys.has_emsk_chain()) binding.flags |= CryptoBinding::kEmsk;
    const auto nonce = crypto::random_bytes(binding.nonce.size());
    std::copy(nonce.begin(), nonce.end(), binding.nonce.begin());
    binding.nonce.back() &= static_cast<std::uint8_t>(~kLastBit);
    ACMETOOL_CHECK(fill_macs(binding, keys, outer));
    return binding;
}

Result<CryptoBinding> make_response(const KeySchedule& keys, const OuterTlvs& outer,
                                    const CryptoBinding& request, std::uint8_t received_version)
{
    auto binding = request;
    binding.version = kTeapVersion;
    binding.received_version = received_version;
    binding.sub_type = CryptoBinding::kResponse;
    const bool emsk = keys.has_emsk_chain() && (request.flags & CryptoBinding::kEmsk) != 0;
    binding.flags = emsk ? CryptoBinding::kEmsk : CryptoBinding::kMsk;
    binding.nonce.back() |= kLastBit;
    binding.emsk_mac = {};
    binding.msk_mac = {};
    ACMETOOL_CHECK(fill_macs(binding, keys, outer));
    return binding;
}

Result<void> verify(const CryptoBinding& received, const KeySchedule& keys, const OuterTlvs& outer,
                    std::uint8_t sent_version, const CryptoBinding* request)
{
    if (received.version != kTeapVersion) return bad_binding("another version of TEAP");
    if (received.received_version != sent_version)
        return bad_binding("the version that we sent was changed in transit");
    if (received.sub_type != (request != nullptr ? CryptoBinding::kResponse : CryptoBinding::kRequest))
        return bad_binding("a wrong sub-type");
    if (received.flags == 0 || received.flags > (CryptoBinding::kEmsk | CryptoBinding::kMsk))
        return bad_binding("wrong flags");
    auto nonce = received.nonce;
    if (request != nullptr) {
        nonce.back() &= static_cast<std::uint8_t>(~kLastBit);
        if ((received.nonce.back() & kLastBit) == 0 || !crypto::equal_in_constant_time(nonce, request->nonce))
            return bad_binding("a nonce that differs from the request's");
    } else if ((nonce.back() & kLastBit) != 0) {
        return bad_binding("a nonce that is not a request's");
    }
    const bool emsk = (received.flags & CryptoBinding::kEmsk) != 0;
    const bool msk = (received.flags & CryptoBinding::kMsk) != 0;
    // An EMSK MAC that cannot be checked is ignored; one MAC must be checked.
    if (!msk && !keys.has_emsk_chain()) return bad_binding("an EMSK Compound MAC without an EMSK");
    const auto buffer = mac_buffer(received, outer);
    if (msk) {
        ACMETOOL_TRY(mac, keys.compound_mac(buffer, false));
        if (!crypto::equal_in_constant_time(mac, received.msk_mac))
            return bad_binding("the MSK Compound MAC is wrong");
    }
    if (emsk && keys.has_emsk_chain()) {
        ACMETOOL_TRY(mac, keys.compound_mac(buffer, true));
        if (!crypto::equal_in_constant_time(mac, received.emsk_mac))
            return bad_binding("the EMSK Compound MAC is wrong");
    }
    return {};
}

} // namespace acmetool::teap
