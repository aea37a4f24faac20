#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/digest.h"
#include "teap/tlv.h"

/// The keys of a tunnel and the proof that both ends have the same keys (RFC 7170 sections 4.2.13 and 5, RFC
/// 9427 section 2.2). All octets except the TLVs are secret.
namespace acmetool::teap
{

/// The formulas that derive the keys.
enum class Kdf {
    rfc7170, ///< the TLS 1.2 PRF of RFC 7170; under TLS 1.3, too, with the suite's hash, as hostap and
             ///< FreeRADIUS do
    rfc9427, ///< the TLS 1.3 exporter; only with TLS 1.3
};

/// The source of the MSK if no inner method provided a key.
enum class MskSource {
    imck1, ///< S-IMCK[1], of the zero IMSK used for the Crypto-Binding; common practice
    seed,  ///< S-IMCK[0], the session key seed (RFC 9930 section 5.4)
};

using crypto::Hash; ///< of the TLS cipher suite: SHA-256 or SHA-384

/// Keying material of the TLS connection (RFC 5705): label, context or none, number of octets.
using Exporter = std::function<Result<Bytes>(std::string_view, std::optional<ByteView>, std::size_t)>;

struct ExportedKeys {
    Bytes msk;  ///< 64 octets
    Bytes emsk; ///< 64 octets
};

/// S-IMCK and CMK of one tunnel, step by step.
class ACMETOOL_EXPORT KeySchedule
{
public:
    /// Derives the session key seed, S-IMCK[0], from the established tunnel.
    static Result<KeySchedule> start(Kdf kdf, Hash hash, Exporter exporter);
    ~KeySchedule();
    KeySchedule(KeySchedule&&) = default;
    KeySchedule& operator=(KeySchedule&&) = default;
    KeySchedule(const KeySchedule&) = delete;
    KeySchedule& operator=(const KeySchedule&) = delete;

    /// One round of derivation, after an inner method with these keys; both empty: none ran, or it provided
    /// no keys.
    Result<void> step(ByteView msk, ByteView emsk);

    /// First 20 octets of HMAC(CMK, buffer), by the MSK chain or the EMSK chain; the latter only if the last
    /// step had an EMSK.
    Result<Bytes> compound_mac(ByteView buffer, bool emsk_chain) const;
    bool has_emsk_chain() const { return !emsk_.cmk.empty(); }

    /// The keys exported by EAP.
    Result<ExportedKeys> exported(MskSource source, bool emsk_chain) const;

    Kdf kdf() const { return kdf_; }
    const Bytes& session_key_seed() const { return seed_; }
    const Bytes& s_imck(bool emsk_chain) const { return emsk_chain ? emsk_.s_imck : msk_.s_imck; }
    const Bytes& cmk(bool emsk_chain) const { return emsk_chain ? emsk_.cmk : msk_.cmk; }

private:
    struct Chain {
        Bytes s_imck;
        Bytes cmk;
    };
    KeySchedule() = default;
    Result<Bytes> imsk(ByteView key, bool from_emsk) const;
    Result<Chain> advance(const Chain& chain, ByteView imsk) const;

    Kdf kdf_ = Kdf::rfc7170;
    Hash hash_ = Hash::sha256;
    Exporter exporter_;
    Bytes seed_;
    Chain msk_;
    Chain emsk_;
    bool stepped_ = false;
    bool keyed_ = false; ///< an inner method provided a key
};

/// PRF(secret, label, seed) = P_hash(secret, label || seed) (RFC 5246 section 5).
ACMETOOL_EXPORT Result<Bytes> prf(Hash hash, ByteView secret, std::string_view label, ByteView seed,
                                  std::size_t size);

/// The value of a Crypto-Binding TLV.
struct ACMETOOL_EXPORT CryptoBinding {
    static constexpr std::size_t kSize = 76;
    static constexpr std::uint8_t kEmsk = 1; ///< flags
    static constexpr std::uint8_t kMsk = 2;
    static constexpr std::uint8_t kRequest = 0; ///< sub-type
    static constexpr std::uint8_t kResponse = 1;

    std::uint8_t version = 1;
    std::uint8_t received_version = 1;
    std::uint8_t flags = kMsk;
    std::uint8_t sub_type = kRequest;
    std::array<std::uint8_t, 32> nonce{};
    std::array<std::uint8_t, 20> emsk_mac{};
    std::array<std::uint8_t, 20> msk_mac{};

    Tlv encode() const;
};
/// Errc::protocol, reason "cryptoBinding", if it is not 76 octets long.
ACMETOOL_EXPORT Result<CryptoBinding> parse_crypto_binding(const Tlv& tlv);

/// The messages outside the tunnel that the MACs cover besides the TLV.
struct OuterTlvs {
    Bytes server; ///< of the Start, headers included
    Bytes peer;   ///< of the peer's first message
};

/// The input of the MACs (RFC 7170 section 5.3).
ACMETOOL_EXPORT Bytes mac_buffer(const CryptoBinding& binding, const OuterTlvs& outer);

/// A request with a fresh nonce and all MACs for which the schedule has keys. `received_version` is the
/// version octet that the peer sent.
ACMETOOL_EXPORT Result<CryptoBinding> make_request(const KeySchedule& keys, const OuterTlvs& outer,
                                                   std::uint8_t received_version);
/// The answer to a verified request: only an EMSK MAC if both are possible.
ACMETOOL_EXPORT Result<CryptoBinding> make_response(const KeySchedule& keys, const OuterTlvs& outer,
                                                    const CryptoBinding& request,
                                                    std::uint8_t received_version);

/// Checks the peer's TLV: versions, sub-type, flags, nonce, MACs, in constant time. Errc::protocol, reason
/// "cryptoBinding".
///
/// `sent_version`: the version octet that we sent. `request`: on the server's side, the request that it
/// answers.
ACMETOOL_EXPORT Result<void> verify(const CryptoBinding& received, const KeySchedule& keys,
                                    const OuterTlvs& outer, std::uint8_t sent_version,
                                    const CryptoBinding* request);

} // namespace acmetool::teap
