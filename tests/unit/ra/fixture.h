#pragma once

#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "../comes_true.h"
#include "base/text.h"
#include "ca/authority.h"
#include "crypto/digest.h"
#include "crypto/openssl.h"
#include "ra/engine.h"
#include "store/atomic_file.h"

namespace acmetool::test
{

using namespace std::chrono_literals;

/// A folder that goes with the test.
class Folder
{
public:
    Folder()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "acmetool-ra-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    std::string write(const std::string& name, const std::string& text) const
    {
        REQUIRE(store::write_atomically(*this / name, text, 0600).has_value());
        return *this / name;
    }

private:
    std::string path_;
};

/// A certificate with `serial` as serialNumber attribute, signed by `issuer_key` in the name `issuer_name`.
/// The name of an end entity is in the SAN as well if it is a DNS name with a dot.
inline crypto::Certificate make_certificate(const crypto::Key& key, const std::string& name,
                                            const std::string& serial, const crypto::Key& issuer_key,
                                            const std::string& issuer_name, bool is_ca,
                                            const std::string& not_after = "99991231235959Z",
                                            const std::map<int, std::string>& extensions = {})
{
    X509* x509 = X509_new();
    X509_set_version(x509, 2);
    const auto number = crypto::random_bytes(8);
    const crypto::BignumPtr big{BN_bin2bn(number.data(), 8, nullptr)};
    BN_to_ASN1_INTEGER(big.get(), X509_get_serialNumber(x509));
    const auto add = [](X509_NAME* subject, const char* field, const std::string& value) {
        X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
    };
    add(X509_get_issuer_name(x509), "CN", issuer_name);
    add(X509_get_subject_name(x509), "CN", name);
    if (!serial.empty()) add(X509_get_subject_name(x509), "serialNumber", serial);
    ASN1_TIME_set_string(X509_getm_notBefore(x509), "20200101000000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(x509), not_after.c_str());
    X509_set_pubkey(x509, key.get());
    X509_EXTENSION* basic =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    X509_add_ext(x509, basic, -1);
    X509_EXTENSION_free(basic);
    auto all = extensions;
    if (!is_ca && name.find('.') != std::string::npos) all.try_emplace(NID_subject_alt_name, "DNS:" + name);
    for (const auto& [nid, value] : all) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
        X509_add_ext(x509, extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_sign(x509, issuer_key.get(), EVP_sha256());
    return crypto::Certificate::adopt(x509);
}

struct Maker {
    explicit Maker(std::string its_name) : name(std::move(its_name)), key(*crypto::generate_key("ec:P-256"))
    {
        certificate = make_certificate(key, name, "", key, name, true);
    }
    crypto::Certificate idevid(const std::string& serial) const
    {
        return make_certificate(*crypto::generate_key("ec:P-256"), "device", serial, key, name, false);
    }
    std::string name;
    crypto::Key key;
    crypto::Certificate certificate;
};

/// An issuer in the test's hands: by default it issues at once, from a lab CA of its own.
class DoubleIssuer final : public ra::Issuer
{
public:
    struct Board { ///< outlives the issuer
        std::mutex mutex;
        std::vector<ra::IssuerOrder> started;
        ra::IssuerHost* host = nullptr;
        std::shared_ptr<ca::Authority> authority;
        bool hold = false;            ///< orders are only noted
        std::optional<Error> failure; ///< instead of a certificate
        bool over = true;
        std::chrono::seconds lifetime{std::chrono::hours{24 * 90}};
        std::function<base::TimePoint()> now;
        struct Hold {
            std::string ca;
            std::chrono::seconds life;
            std::string told;
        };
        std::vector<Hold> holds; ///< that it was told of

        std::optional<Hold> last_hold()
        {
            const std::lock_guard lock{mutex};
            return holds.empty() ? std::nullopt : std::optional{holds.back()};
        }
        std::size_t count()
        {
            const std::lock_guard lock{mutex};
            return started.size();
        }
        void issue(const ra::IssuerOrder& order)
        {
            const auto der = host->csr(order.id);
            REQUIRE(der.has_value());
            const auto csr = crypto::parse_csr(as_text(*der));
            const auto chain = authority->issue(csr->key, order.identifiers, now(), lifetime);
            REQUIRE(chain.has_value());
            host->issued(order.id, *chain);
        }
    };
    explicit DoubleIssuer(std::shared_ptr<Board> board) : board_(std::move(board)) {}
    void attach(ra::IssuerHost& host) override { board_->host = &host; }
    void start(ra::IssuerOrder order) override
    {
        bool hold = false;
        std::optional<Error> failure;
        {
            const std::lock_guard lock{board_->mutex};
            board_->started.push_back(order);
            hold = board_->hold;
            failure = board_->failure;
        }
        if (hold) return;
        order.url = "https://ca.example/order/" + order.id.substr(0, 8);
        board_->host->placed(order, [board = board_, order, failure](bool) {
            if (failure)
                board->host->failed(order.id, *failure, board->over);
            else
                board->issue(order);
        });
    }
    void hold(const std::string& ca, std::chrono::seconds life, const std::string& told) override
    {
        const std::lock_guard lock{board_->mutex};
        board_->holds.push_back({ca, life, told});
    }
    base::Json status() override { return base::Json::object(); }

private:
    std::shared_ptr<Board> board_;
};

/// A whole registration authority for domain.com with one manufacturer and an issuer double.
class Lab : public enrol::EventSink
{
public:
    Lab()
    {
        options.idevid.trust = {folder.write("manufacturer.pem", maker.certificate.to_pem())};
        options.idevid.accept_any = true;
        options.domains = {{"domain.com", true, "", {}}};
        options.store.sqlite = folder / "relay.db";
        options.wait = 120s;
        auto authority = ca::Authority::open(folder / "ca", {"localhost"}, now());
        REQUIRE(authority.has_value());
        board->authority = std::make_shared<ca::Authority>(std::move(*authority));
        board->now = [this] { return now(); };
        options.cacerts.roots = {folder.write("root.pem", board->authority->root().to_pem())};
    }
    ~Lab() override { engine.reset(); }

    base::TimePoint now() const { return base::TimePoint{std::chrono::seconds{clock.load()}}; }
    void pass(std::chrono::seconds time) { clock += time.count(); }

    ra::Engine& open()
    {
        engine.reset();
        ra::Engine::Parts parts;
        parts.issuer = std::make_unique<DoubleIssuer>(board);
        parts.events = this;
        parts.now = [this] { return now(); };
        parts.crls = fetched;
        auto opened = ra::Engine::open(options, std::move(parts));
        if (!opened) FAIL(opened.error().message);
        engine = std::move(*opened);
        return *engine;
    }

    static crypto::Csr csr(const crypto::Key& key, const std::vector<std::string>& names,
                           const std::string& password = {}, const std::string& common_name = {})
    {
        crypto::CsrOptions wanted;
        for (const auto& name : names)
            wanted.identifiers.push_back({"dns", name});
        wanted.common_name = common_name;
        if (!password.empty()) wanted.challenge_password = password;
        return *crypto::build_csr(key, wanted);
    }
    static enrol::EnrolRequest request(const crypto::Certificate& certificate, crypto::Csr csr)
    {
        enrol::EnrolRequest wanted;
        wanted.request_id = "r1";
        wanted.peer.certificates = {certificate};
        wanted.csr = std::move(csr);
        return wanted;
    }
    enrol::Decision enrol(enrol::EnrolRequest wanted)
    {
        auto answer = std::make_shared<std::promise<enrol::Decision>>();
        auto future = answer->get_future();
        engine->enrol(std::move(wanted),
                      [answer](enrol::Decision decision) { answer->set_value(std::move(decision)); });
        return future.get();
    }
    enrol::AttributesDecision attributes(const crypto::Certificate* certificate,
                                         const std::string& label = {})
    {
        auto answer = std::make_shared<std::promise<enrol::AttributesDecision>>();
        auto future = answer->get_future();
        enrol::Peer peer;
        if (certificate != nullptr) peer.certificates = {*certificate};
        engine->csr_attributes(std::move(peer), label, [answer](enrol::AttributesDecision decision) {
            answer->set_value(std::move(decision));
        });
        return future.get();
    }
    /// "issued", "pending", or why it was refused.
    static std::string word(const enrol::Decision& decision)
    {
        if (std::holds_alternative<enrol::Issued>(decision)) return "issued";
        if (std::holds_alternative<enrol::Pending>(decision)) return "pending";
        return word(std::get<enrol::Refused>(decision).why);
    }
    static std::string word(enrol::Refusal why)
    {
        constexpr const char* kWords[] = {"unauthenticated",
                                          "forbidden",
                                          "bad_request",
                                          "bad_identity",
                                          "pop_failed",
                                          "not_found",
                                          "too_many",
                                          "unavailable",
                                          "internal",
                                          "unsupported_algorithm",
                                          "unsupported_extension"};
        return kWords[static_cast<std::size_t>(why)];
    }
    static std::string digest(const enrol::Decision& decision)
    {
        return to_hex(std::get<enrol::Issued>(decision).certificate.sha256());
    }

    void event(const base::Json& event) override
    {
        const std::lock_guard lock{events_mutex};
        events.push_back(event);
    }

    Folder folder;
    Maker maker{"Example Manufacturer"};
    crypto::Key key = *crypto::generate_key("ec:P-256");
    ra::Options options;
    std::shared_ptr<DoubleIssuer::Board> board = std::make_shared<DoubleIssuer::Board>();
    std::atomic<std::int64_t> clock{1795478325};
    std::mutex events_mutex;
    std::vector<base::Json> events;
    std::shared_ptr<const crypto::FetchedCrls> fetched; ///< CRLs of URLs
    std::unique_ptr<ra::Engine> engine;
};

} // namespace acmetool::test
