// What an EST client sends, in front of a whole registration authority with its store and an issuer. The
// first line has words: who asks ("device", "issued", "foreign", "self" or "nobody"), "signed" if the body is
// a PKCS#10 that gets the client's key and signature (a changed one has none), "tls" if the request came over
// TLS with a channel binding. Then method, target, header lines, an empty line, the body. Several requests
// are separated by lines "----".
#include <cstddef>
#include <future>
#include <memory>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "ca/authority.h"
#include "chain_maker.h"
#include "crypto/cms.h"
#include "crypto/openssl.h"
#include "est/codec.h"
#include "est/server.h"
#include "folder.h"
#include "ra/engine.h"
#include "request_text.h"
#include "store/atomic_file.h"

using namespace acmetool;

namespace
{

constexpr int kInputsPerEngine = 256; ///< so that the database stays small
constexpr int kMostEstRequests = 8;
constexpr const char* kSerial = "SN-1";
constexpr const char* kDeviceName = "sn-1.domain.com";

template <class Value>
Value* extension_of(STACK_OF(X509_EXTENSION) * extensions, int nid)
{
    return static_cast<Value*>(X509V3_get_d2i(extensions, nid, nullptr, nullptr));
}

/// False if a program that copies extensions would make a CA of it, or a certificate for other purposes. Read
/// with OpenSSL, not with what the policy reads.
bool is_modest(const crypto::Csr& csr)
{
    const auto* at = csr.der.data();
    const crypto::ReqPtr request{d2i_X509_REQ(nullptr, &at, static_cast<long>(csr.der.size()))};
    const crypto::ExtensionsPtr extensions{X509_REQ_get_extensions(request.get())};
    const crypto::Owned<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free> basic{
        extension_of<BASIC_CONSTRAINTS>(extensions.get(), NID_basic_constraints)};
    const crypto::Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free> usage{
        extension_of<ASN1_BIT_STRING>(extensions.get(), NID_key_usage)};
    const crypto::Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> purposes{
        extension_of<EXTENDED_KEY_USAGE>(extensions.get(), NID_ext_key_usage)};
    constexpr int kKeyCertSign = 5;
    constexpr int kCrlSign = 6;
    if (basic && basic->ca != 0) return false;
    if (usage && (ASN1_BIT_STRING_get_bit(usage.get(), kKeyCertSign) != 0 ||
                  ASN1_BIT_STRING_get_bit(usage.get(), kCrlSign) != 0))
        return false;
    for (int i = 0; purposes && i < sk_ASN1_OBJECT_num(purposes.get()); ++i) {
        const int purpose = OBJ_obj2nid(sk_ASN1_OBJECT_value(purposes.get(), i));
        if (purpose != NID_client_auth && purpose != NID_server_auth) return false;
    }
    return true;
}

/// Issues at once what the registration authority orders, and traps if a device got past its policy.
class TrappingIssuer final : public ra::Issuer
{
public:
    explicit TrappingIssuer(const ca::Authority& authority) : authority_(authority) {}
    void attach(ra::IssuerHost& host) override { host_ = &host; }
    void start(ra::IssuerOrder order) override
    {
        order.url = "https://ca.test/order/" + order.id.substr(0, 8);
        host_->placed(order, [this, order](bool) {
            const auto csr = crypto::parse_csr(as_text(*host_->csr(order.id)));
            if (!csr || csr->identifiers != order.identifiers || !is_modest(*csr)) __builtin_trap();
            for (const auto& identifier : csr->identifiers)
                if (identifier != crypto::Identifier{"dns", kDeviceName}) __builtin_trap();
            host_->issued(order.id, *authority_.issue(csr->key, order.identifiers, base::now(), kLifetime));
        });
    }
    base::Json status() override { return base::Json::object(); }

private:
    static constexpr std::chrono::hours kLifetime{24 * 90};
    const ca::Authority& authority_;
    ra::IssuerHost* host_ = nullptr;
};

class EnrolLab
{
public:
    EnrolLab()
    {
        ra::Options options;
        options.idevid.trust = {write("maker.pem", maker_.certificate.to_pem())};
        options.idevid.inventory = write("devices.csv", std::string{kSerial} + "\n");
        options.domains = {{"domain.com", true, "", {}}};
        options.store.sqlite = folder_ + "/relay.db";
        options.cacerts.roots = {write("root.pem", authority_.root().to_pem())};
        options.wait = std::chrono::seconds{30};
        options.remember_failure = std::chrono::seconds{0};
        options.limits.orders_per_device = 1'000'000;
        options.limits.orders_in_total = 2'000'000;
        ra::Engine::Parts parts;
        parts.issuer = std::make_unique<TrappingIssuer>(authority_);
        engine_ = std::move(*ra::Engine::open(options, std::move(parts)));
        est::ServerOptions server;
        server.logins.basic = true;
        server.signer = est::ErrorSigner{maker_.key, maker_.certificate, {}};
        server_ = std::make_unique<est::Server>(*engine_, std::move(server), est::Server::Observer{});
        enrol_once();
    }
    ~EnrolLab()
    {
        engine_.reset();
        remove_folder();
    }
    EnrolLab(const EnrolLab&) = delete;
    EnrolLab& operator=(const EnrolLab&) = delete;
    void remove_folder() const { std::filesystem::remove_all(folder_); }

    http::ServerResponse ask(std::string_view text)
    {
        const auto words = fuzz::take_line(text);
        const auto says = [words](std::string_view word) {
            return words.find(word) != std::string_view::npos;
        };
        auto request = fuzz::read_request(text);
        if (says("signed")) request.body = signed_request(request.body);
        request.peer = "192.0.2.1";
        auto tls = std::make_shared<http::TlsFacts>();
        if (says("tls")) tls->channel_binding = crypto::ChannelBinding{"tls-exporter", Bytes(32, 'b')};
        for (const auto* one : {&device_, &foreign_, &self_})
            if (says(one == &device_ ? "device" : one == &foreign_ ? "foreign" : "self"))
                tls->certificates = {one->certificate};
        if (says("issued")) tls->certificates = issued_;
        request.tls = std::move(tls);
        const auto path = request.target.substr(0, request.target.find('?'));
        const bool unknown = path.ends_with("enroll") && !says("device") && !says("issued");
        const auto response = handle(std::move(request));
        // Certificates are for whom the relay knows; nothing that a client sends is an internal error.
        if (response.status == 500 || response.drop || (unknown && response.status == 200)) __builtin_trap();
        return response;
    }

private:
    std::string write(const std::string& name, const std::string& text) const
    {
        if (!store::write_atomically(folder_ + "/" + name, text, 0600)) __builtin_trap();
        return folder_ + "/" + name;
    }

    http::ServerResponse handle(http::ServerRequest request)
    {
        const auto answer = std::make_shared<std::promise<http::ServerResponse>>();
        server_->handle(std::move(request),
                        [answer](http::ServerResponse response) { answer->set_value(std::move(response)); });
        return answer->get_future().get();
    }

    /// The certificate that "issued" shows.
    void enrol_once()
    {
        crypto::CsrOptions wanted;
        wanted.identifiers = {{"dns", kDeviceName}};
        const auto csr = crypto::build_csr(key_, wanted);
        const auto body = base::to_base64(csr->der);
        const auto response =
            ask("device\nPOST\n/.well-known/est/simpleenroll\ncontent-type: application/pkcs10\n\n" + body);
        const auto parsed = est::parse_body(response.body);
        if (response.status != 200 || !parsed) __builtin_trap();
        issued_ = *crypto::parse_certs_only(parsed->der);
    }

    /// The same content with the client's key and signature; as it is if it is no PKCS#10.
    std::string signed_request(std::string_view body) const
    {
        const auto parsed = est::parse_body(body);
        if (!parsed) return std::string{body};
        const auto* at = parsed->der.data();
        const crypto::ReqPtr request{d2i_X509_REQ(nullptr, &at, static_cast<long>(parsed->der.size()))};
        if (!request || X509_REQ_set_pubkey(request.get(), key_.get()) != 1 ||
            X509_REQ_sign(request.get(), key_.get(), EVP_sha256()) == 0)
            return std::string{body};
        unsigned char* out = nullptr;
        const int count = i2d_X509_REQ(request.get(), &out);
        const crypto::OpensslMemory der{out};
        if (count <= 0) return std::string{body};
        return base::to_base64({out, static_cast<std::size_t>(count)});
    }

    std::string folder_ = fuzz::make_folder();
    fuzz::Identity maker_ = fuzz::make_authority("maker");
    fuzz::Identity device_ = fuzz::make_identity("device", kSerial, &maker_, {});
    fuzz::Identity foreign_maker_ = fuzz::make_authority("maker");
    fuzz::Identity foreign_ = fuzz::make_identity("device", kSerial, &foreign_maker_, {});
    fuzz::Identity self_ = fuzz::make_authority("device");
    ca::Authority authority_ = *ca::Authority::open(folder_ + "/ca", {"localhost"}, base::now());
    crypto::Key key_ = *crypto::generate_key("ec:P-256");
    std::vector<crypto::Certificate> issued_;
    std::unique_ptr<est::Server> server_; ///< outlives the engine
    std::unique_ptr<ra::Engine> engine_;
};

} // namespace

extern "C" int fuzz_est_enrol(const unsigned char* data, std::size_t size)
{
    // Threads that end while the program exits leave state of OpenSSL behind: the last one is not destroyed.
    static EnrolLab* lab = nullptr;
    static const struct LastEngine {
        ~LastEngine()
        {
            if (lab != nullptr) lab->remove_folder();
        }
    } last;
    static int inputs = 0;
    if (lab == nullptr || ++inputs % kInputsPerEngine == 0) {
        delete lab;
        lab = new EnrolLab;
    }
    std::string_view rest{reinterpret_cast<const char*>(data), size};
    constexpr std::string_view kBetween = "\n----\n";
    for (int i = 0; i < kMostEstRequests && !rest.empty(); ++i) {
        const auto end = rest.find(kBetween);
        static_cast<void>(lab->ask(rest.substr(0, end)));
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + kBetween.size());
    }
    return 0;
}
