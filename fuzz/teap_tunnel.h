#pragma once

// Both ends of a TEAP conversation in one process, for targets in which one of them says what the input
// holds: one message after the other, each with two octets of length before it.
#include <algorithm>
#include <cstdlib>

#include <openssl/x509.h>

#include "teap/fragments.h"
#include "teap/peer.h"
#include "teap/server.h"
#include "teap/tlv.h"

namespace fuzz
{

using namespace acmetool;

struct Party {
    crypto::Key key;
    crypto::Certificate certificate;
};

inline const Party& party()
{
    static const Party made = [] {
        auto key = *crypto::generate_key("ec:P-256");
        X509* x509 = X509_new();
        X509_gmtime_adj(X509_getm_notBefore(x509), 0);
        X509_gmtime_adj(X509_getm_notAfter(x509), 86'400);
        X509_set_pubkey(x509, key.get());
        X509_sign(x509, key.get(), EVP_sha256());
        return Party{key, crypto::Certificate::adopt(x509)};
    }();
    return made;
}

inline crypto::TlsContext context_of(crypto::Side side)
{
    crypto::TlsSettings settings;
    settings.chain = {party().certificate};
    settings.key = party().key;
    return *crypto::TlsContext::make(side, settings);
}

/// Knows every device as d.example. `issues`: and certifies whatever it asks for.
class Authority final : public enrol::RegistrationAuthority
{
public:
    explicit Authority(bool issues) : issues_(issues) {}
    void enrol(enrol::EnrolRequest, std::function<void(enrol::Decision)> done) override
    {
        if (issues_)
            done(enrol::Issued{party().certificate});
        else
            done(enrol::Refused{enrol::Refusal::bad_identity, "no", {}});
    }
    void csr_attributes(enrol::Peer, const std::string&,
                        std::function<void(enrol::AttributesDecision)> done) override
    {
        enrol::CsrAttributes attributes;
        attributes.identifiers = {{"dns", "d.example"}};
        attributes.authenticated = true;
        done(attributes);
    }
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string&) override
    {
        return std::vector<crypto::Certificate>{};
    }

private:
    bool issues_;
};

/// Calls `say` with each message of the input, until it says false.
template <class Say>
void each_message(ByteView input, const Say& say)
{
    while (input.size() > 2) {
        const auto count = std::min<std::size_t>(std::size_t{input[0]} << 8U | input[1], input.size() - 2);
        if (count == 0 || !say(input.subspan(2, count))) return;
        input = input.subspan(2 + count);
    }
}

/// A server, and a peer that says in phase 2 what the input holds. How it ended.
inline teap::Outcome hostile_peer(std::shared_ptr<const teap::ServerSettings> settings, bool issues,
                                  enrol::VoucherAuthority* vouchers, ByteView input)
{
    static const auto server_context = context_of(crypto::Side::server);
    static const auto peer_context = context_of(crypto::Side::client);
    Authority authority{issues};
    teap::ServerSession server{std::move(settings), server_context, authority, "192.0.2.1", "id", vouchers};
    auto tls = *crypto::TlsEngine::start(peer_context, {});
    teap::Answer answer;
    const auto take = [&](teap::Answer one) { answer = std::move(one); };
    const auto respond = [&](const teap::Frame& frame) {
        const teap::EapPacket eap{teap::EapCode::response, answer.eap[1], teap::eap_type::kTeap,
                                  frame.encode()};
        return server.handle(eap.encode(), 0, take);
    };
    const auto deliver = [&](Bytes records) {
        teap::Fragmenter fragmenter;
        fragmenter.load({std::move(records), {}}, false, 60'000);
        if (!respond(fragmenter.next())) return false;
        while (answer.outcome == teap::Outcome::proceed) {
            const auto frame = *teap::parse_frame(teap::parse_eap(answer.eap)->data);
            if (!frame.start && !tls.feed(frame.data)) return false;
            if (!frame.more) return true;
            if (!respond({})) return false;
        }
        return false;
    };
    const teap::EapPacket identity{teap::EapCode::response, 1, teap::eap_type::kIdentity, {'a'}};
    if (!server.handle(identity.encode(), 0, take)) std::abort();
    for (int i = 0; i < 4; ++i) {
        auto records = tls.take_output();
        if (records.empty()) break;
        if (!deliver(std::move(records))) return answer.outcome;
    }
    if (!tls.established()) std::abort();
    each_message(input, [&](ByteView message) { return tls.send(message) && deliver(tls.take_output()); });
    return answer.outcome;
}

} // namespace fuzz
