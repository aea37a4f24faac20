// What a client with an account asks acme-ca: a line a request, "RESOURCE [PAYLOAD]", signed by the target;
// or "METHOD /PATH", unsigned. Words that begin with @ stand for what earlier answers named. "preauthorized"
// as first line makes authorizations valid at once; otherwise validations succeed in the background.
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "acme/certificate_id.h"
#include "base/base64url.h"
#include "base/text.h"
#include "ca/service.h"
#include "crypto/csr.h"
#include "folder.h"
#include "jose/jwk.h"
#include "jose/jws.h"

using namespace acmetool;
using base::Json;

namespace
{

constexpr std::string_view kBase = "https://ca.test";
constexpr int kMostRequests = 24;
constexpr int kInputsPerService = 256; ///< so that the database stays small

void replace(std::string& text, std::string_view word, std::string_view value)
{
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + value.size()))
        text.replace(at, word.size(), value);
}

/// The CA and its client.
class CaLab
{
public:
    CaLab()
    {
        ca::ServiceOptions options;
        options.database = folder_ + "/acme-ca.db";
        options.base_url = kBase;
        options.profiles = {*ca::parse_profile("classic=7d"), *ca::parse_profile("short=1d:serverAuth")};
        options.validation.issuer_domains = {"ca.test"};
        options.validation.dns_persist = ca::DnsPersist::both;
        static_cast<void>(faults_.set("validation=valid"));
        service_ = std::move(*ca::Service::open(options, authority_, faults_));
        crypto::CsrOptions wanted;
        wanted.identifiers = {{"dns", "a.example.com"}};
        csr_ = base::to_base64url(crypto::build_csr(*crypto::generate_key("ec:P-256"), wanted)->der);
    }
    ~CaLab()
    {
        service_.reset();
        remove_folder();
    }
    CaLab(const CaLab&) = delete;
    CaLab& operator=(const CaLab&) = delete;

    void remove_folder() const { std::filesystem::remove_all(folder_); }

    /// False if an earlier input has deactivated the account.
    bool log_in()
    {
        account_.clear();
        const auto response = post("/newAccount", "{}");
        account_ = http::find(response.headers, "Location").value_or("");
        return !account_.empty();
    }

    void preauthorize(bool on)
    {
        static_cast<void>(faults_.set(on ? "preauthorized=1" : "preauthorized=off"));
    }

    void run(std::string_view line)
    {
        const auto blank = std::min(line.find(' '), line.size());
        std::string first{line.substr(0, blank)};
        std::string rest{line.substr(std::min(blank + 1, line.size()))};
        fill_in(first);
        fill_in(rest);
        if (rest.starts_with('/')) {
            send({first, rest, {}, {}, "192.0.2.1", 4711, nullptr});
            return;
        }
        if (!std::all_of(first.begin(), first.end(), [](char c) { return c > 0; })) return; // no JSON
        note(post((first.starts_with('/') ? "" : "/") + first, rest));
    }

private:
    void fill_in(std::string& text) const
    {
        replace(text, "@account", path_of(account_));
        replace(text, "@order", path_of(order_));
        replace(text, "@authz", path_of(authz_));
        replace(text, "@challenge", path_of(challenge_));
        replace(text, "@finalize", path_of(finalize_));
        replace(text, "@certificate", path_of(certificate_));
        replace(text, "@ari", ari_);
        if (text == "@csr") text = Json{{"csr", csr_}}.dump();
        if (text == "@revocation") text = Json{{"certificate", der_}}.dump();
        if (text == "@keyChange") text = key_change();
    }

    static std::string path_of(const std::string& url)
    {
        return url.starts_with(kBase) ? url.substr(kBase.size()) : "/none";
    }

    std::string key_change() const
    {
        const auto next = crypto::generate_key("ec:P-384");
        const Json header{{"url", std::string{kBase} + "/keyChange"}, {"jwk", *jose::to_jwk(*next)}};
        const Json payload{{"account", account_}, {"oldKey", *jose::to_jwk(key_)}};
        return *jose::sign(*next, header, payload.dump());
    }

    http::ServerResponse post(const std::string& target, const std::string& payload)
    {
        const auto nonce = send({"HEAD", "/newNonce", {}, {}, "192.0.2.1", 4711, nullptr});
        Json header{{"url", std::string{kBase} + target},
                    {"nonce", http::find(nonce.headers, "Replay-Nonce").value_or("")}};
        if (account_.empty() || target == "/newAccount")
            header["jwk"] = *jose::to_jwk(key_);
        else
            header["kid"] = account_;
        auto body = jose::sign(key_, header, payload);
        if (!body) return {};
        return send({"POST",
                     target,
                     {{"content-type", "application/jose+json"}},
                     std::move(*body),
                     "192.0.2.1",
                     4711,
                     nullptr});
    }

    /// Nothing that a client sends is an internal error.
    http::ServerResponse send(http::ServerRequest request)
    {
        const auto answer = std::make_shared<std::promise<http::ServerResponse>>();
        service_->handle(std::move(request),
                         [answer](http::ServerResponse response) { answer->set_value(std::move(response)); });
        const auto response = answer->get_future().get();
        if (response.status == 500 || response.drop) __builtin_trap();
        return response;
    }

    void note(const http::ServerResponse& response)
    {
        if (response.body.starts_with("-----BEGIN")) return note_chain(response.body);
        const auto object = base::parse_json_object(response.body, "answer");
        if (!object) return;
        if (object->contains("authorizations")) {
            order_ = http::find(response.headers, "Location").value_or(order_);
            finalize_ = base::string_member(*object, "finalize").value_or("");
            certificate_ = base::string_member(*object, "certificate").value_or(certificate_);
            authz_ = object->at("authorizations").at(0);
        } else if (object->contains("challenges")) {
            authz_ = http::find(response.headers, "Location").value_or(authz_);
            challenge_ = object->at("challenges").at(0).at("url");
        }
    }

    void note_chain(const std::string& pem)
    {
        const auto chain = crypto::parse_pem_chain(pem);
        if (!chain) __builtin_trap();
        der_ = base::to_base64url(chain->front().der());
        ari_ = acme::certificate_id(chain->front()).value_or("");
    }

    std::string folder_ = fuzz::make_folder();
    ca::Authority authority_ = *ca::Authority::open(folder_, {"localhost"}, base::Context{}.now());
    ca::Faults faults_;
    crypto::Key key_ = *crypto::generate_key("ec:P-256");
    std::string csr_;
    std::string account_, order_, authz_, challenge_, finalize_, certificate_, ari_, der_;
    std::unique_ptr<ca::Service> service_; ///< destroyed first
};

} // namespace

extern "C" int fuzz_ca_service(const unsigned char* data, std::size_t size)
{
    // Threads that end while the program exits leave state of OpenSSL behind: the last laboratory is not
    // destroyed.
    static CaLab* lab = nullptr;
    static const struct LastFolder {
        ~LastFolder()
        {
            if (lab != nullptr) lab->remove_folder();
        }
    } last;
    static int inputs = 0;
    if (lab == nullptr || ++inputs % kInputsPerService == 0 || !lab->log_in()) {
        delete lab;
        lab = new CaLab;
        if (!lab->log_in()) __builtin_trap();
    }
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const bool preauthorized = text.starts_with("preauthorized\n");
    lab->preauthorize(preauthorized);
    int requests = 0;
    for (const auto line : base::split(text.substr(preauthorized ? 14 : 0), '\n'))
        if (!line.empty() && ++requests <= kMostRequests) lab->run(line);
    return 0;
}
