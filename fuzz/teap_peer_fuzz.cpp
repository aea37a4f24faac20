// A whole phase 2 at a peer that trusts nobody yet: the server proves the tunnel, and says what the input
// holds (teap_tunnel.h). Vouchers are good that are the word "good".
#include <cstddef>

#include "teap_tunnel.h"

namespace
{

using namespace acmetool;

/// What the peer's Bootstrap and its requests are to the input.
teap::PeerSettings settings_of()
{
    teap::PeerSettings settings;
    settings.fragment_size = 60'000;
    settings.make_request = [](const auto&, const auto&) {
        crypto::CsrOptions options;
        options.identifiers = {{"dns", "d.example"}};
        return crypto::build_csr(fuzz::party().key, options);
    };
    settings.bootstrap =
        teap::Bootstrap{[](const crypto::Certificate&) -> Result<Bytes> { return Bytes{'r'}; },
                        [](ByteView voucher, const std::vector<crypto::Certificate>&) -> Result<void> {
                            if (as_text(voucher) == "good") return {};
                            return fail(Errc::refused, "no good", {}, "signature");
                        }};
    return settings;
}

} // namespace

extern "C" int fuzz_teap_peer(const unsigned char* data, std::size_t size)
{
    static const auto server_context = fuzz::context_of(crypto::Side::server);
    static const auto peer_context = fuzz::context_of(crypto::Side::client);
    teap::PeerSession peer{settings_of(), peer_context, {}};
    auto tls = *crypto::TlsEngine::start(server_context, {});
    teap::OuterTlvs outer;
    std::uint8_t identifier = 0;
    const auto deliver = [&](const teap::Frame& frame) {
        const teap::EapPacket request{teap::EapCode::request, ++identifier, teap::eap_type::kTeap,
                                      frame.encode()};
        auto answer = peer.handle(request.encode());
        if (!answer || !*answer) return false;
        auto got = *teap::parse_frame(teap::parse_eap(**answer)->data);
        if (got.outer_tlv_length) {
            const auto at = static_cast<std::ptrdiff_t>(got.data.size() - *got.outer_tlv_length);
            outer.peer.assign(got.data.begin() + at, got.data.end());
            got.data.resize(static_cast<std::size_t>(at));
        }
        return tls.feed(got.data).has_value();
    };
    teap::Frame frame;
    frame.start = true;
    if (!deliver(frame)) std::abort();
    frame.start = false;
    for (auto output = tls.take_output(); !output.empty(); output = tls.take_output()) {
        frame.data = std::move(output);
        if (!deliver(frame)) std::abort();
    }
    if (!tls.established()) std::abort();
    const auto say = [&](ByteView message) {
        if (!tls.send(message)) return false;
        frame.data = tls.take_output();
        return deliver(frame);
    };
    auto keys = teap::KeySchedule::start(
        teap::Kdf::rfc9427, tls.hash_is_sha384() ? teap::Hash::sha384 : teap::Hash::sha256,
        [&tls](std::string_view label, std::optional<ByteView> context, std::size_t octets) {
            return tls.export_key(label, context, octets);
        });
    if (!keys || !keys->step({}, {})) std::abort();
    const auto binding = teap::make_request(*keys, outer, teap::kTeapVersion);
    if (!say(teap::encode({binding->encode(), teap::result_tlv(teap::Status::success)}))) std::abort();
    fuzz::each_message({data, size}, say);
    const teap::EapPacket success{teap::EapCode::success, identifier, 0, {}};
    static_cast<void>(peer.handle(success.encode()).has_value());
    const auto& result = peer.result();
    // Nobody is believed who brought no voucher.
    if ((result.accepted || result.certificate || !result.roots.empty()) && as_text(result.voucher) != "good")
        std::abort();
    return 0;
}
