// A whole phase 2 at the server: a real tunnel, in which the peer says what the input holds, one message
// after the other. Each message has two octets of length before it.
#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include <openssl/x509.h>

#include "teap/fragments.h"
#include "teap/server.h"
#include "teap/tlv.h"

namespace
{

using namespace acmetool;

class Authority final : public enrol::RegistrationAuthority
{
public:
    void enrol(enrol::EnrolRequest, std::function<void(enrol::Decision)> done) override
    {
        done(enrol::Refused{enrol::Refusal::bad_identity, "no", {}});
    }
    void csr_attributes(enrol::Peer, const std::string&,
                        std::function<void(enrol::AttributesDecision)> done) override
    {
        enrol::CsrAttributes attributes;
        attributes.identifiers = {{"dns", "d.example"}};
        done(attributes);
    }
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string&) override
    {
        return std::vector<crypto::Certificate>{};
    }
};

crypto::TlsContext context_of(crypto::Side side)
{
    static const auto key = *crypto::generate_key("ec:P-256");
    static const auto certificate = [] {
        X509* x509 = X509_new();
        X509_gmtime_adj(X509_getm_notBefore(x509), 0);
        X509_gmtime_adj(X509_getm_notAfter(x509), 86'400);
        X509_set_pubkey(x509, key.get());
        X509_sign(x509, key.get(), EVP_sha256());
        return crypto::Certificate::adopt(x509);
    }();
    crypto::TlsSettings settings;
    settings.chain = {certificate};
    settings.key = key;
    return *crypto::TlsContext::make(side, settings);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    static const auto server_context = context_of(crypto::Side::server);
    static const auto peer_context = context_of(crypto::Side::client);
    Authority authority;
    teap::ServerSession server{std::make_shared<teap::ServerSettings>(), server_context, authority,
                               "192.0.2.1", "id"};
    auto tls = *crypto::TlsEngine::start(peer_context, {});
    teap::Answer answer;
    const auto deliver = [&](Bytes records) {
        teap::Fragmenter fragmenter;
        fragmenter.load({std::move(records), {}}, false, 60'000);
        const teap::EapPacket eap{teap::EapCode::response, answer.eap[1], teap::eap_type::kTeap,
                                  fragmenter.next().encode()};
        if (!server.handle(eap.encode(), 0, [&](teap::Answer one) { answer = std::move(one); })) return false;
        while (answer.outcome == teap::Outcome::proceed) {
            const auto frame = *teap::parse_frame(teap::parse_eap(answer.eap)->data);
            if (!frame.start && !tls.feed(frame.data)) return false;
            if (!frame.more) return true;
            const teap::EapPacket ack{teap::EapCode::response, answer.eap[1], teap::eap_type::kTeap,
                                      teap::Frame{}.encode()};
            if (!server.handle(ack.encode(), 0, [&](teap::Answer one) { answer = std::move(one); }))
                return false;
        }
        return false;
    };
    const teap::EapPacket identity{teap::EapCode::response, 1, teap::eap_type::kIdentity, {'a'}};
    if (!server.handle(identity.encode(), 0, [&](teap::Answer one) { answer = std::move(one); }))
        std::abort();
    for (int i = 0; i < 4; ++i) {
        auto records = tls.take_output();
        if (records.empty()) break;
        if (!deliver(std::move(records))) return 0;
    }
    if (!tls.established()) std::abort();
    ByteView rest{data, size};
    while (rest.size() > 2) {
        const auto count = std::min<std::size_t>(std::size_t{rest[0]} << 8U | rest[1], rest.size() - 2);
        if (count == 0 || !tls.send(rest.subspan(2, count)) || !deliver(tls.take_output())) break;
        rest = rest.subspan(2 + count);
    }
    if (answer.outcome == teap::Outcome::accept) std::abort(); // nothing in here proves the tunnel
    return 0;
}
