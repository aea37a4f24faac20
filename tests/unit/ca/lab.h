#pragma once

#include <future>
#include <memory>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "../ra/fixture.h"
#include "acme/certificate_id.h"
#include "base/base64url.h"
#include "ca/service.h"
#include "crypto/csr.h"
#include "jose/jwk.h"
#include "jose/jws.h"
#include "jose/mac.h"

namespace acmetool::test
{

using base::Json;

/// A client's view of one answer.
struct CaReply {
    int status;
    Json body; ///< null where it is no JSON object
    std::string text;
    http::Headers headers;

    std::string header(std::string_view name) const
    {
        for (const auto& [key, value] : headers)
            if (key == name && !value.ends_with("rel=\"index\"")) return value;
        return {};
    }
    /// The word of the problem's type; empty where it is none.
    std::string problem() const
    {
        const std::string type = body.is_object() ? body.value("type", "") : "";
        return type.size() > 27 ? type.substr(27) : type;
    }
};

/// The CA's service without network, and a client that signs for it. Validations find what the fault says.
class CaLab
{
public:
    explicit CaLab(ca::ServiceOptions wanted = {}) : options(std::move(wanted))
    {
        options.database = folder / "acme-ca.db";
        options.base_url = "https://ca.test";
        REQUIRE(faults.set("validation=valid"));
        open();
        key = *crypto::generate_key("ec:P-256");
    }
    void open() { service = *ca::Service::open(options, authority, faults); }

    /// Waits for the answer.
    http::ServerResponse handle(http::ServerRequest request) const
    {
        const auto answer = std::make_shared<std::promise<http::ServerResponse>>();
        service->handle(std::move(request),
                        [answer](http::ServerResponse response) { answer->set_value(std::move(response)); });
        return answer->get_future().get();
    }

    CaReply get(const std::string& target, const std::string& method = "GET")
    {
        http::ServerRequest request;
        request.method = method;
        request.target = target;
        return shown(handle(std::move(request)));
    }

    /// POST to a URL or path: signed by "kid" where there is an account, else by "jwk".
    CaReply post(const std::string& target, const std::string& payload, bool by_jwk = false)
    {
        return shown(handle(signed_post(target, payload, by_jwk)));
    }
    http::ServerRequest signed_post(std::string target, const std::string& payload, bool by_jwk = false)
    {
        if (target.starts_with("https://ca.test")) target.erase(0, 15);
        http::ServerRequest request;
        request.method = "POST";
        request.target = target;
        request.headers = {{"content-type", "application/jose+json"}};
        Json header{{"url", "https://ca.test" + target},
                    {"nonce", get("/newNonce", "HEAD").header("Replay-Nonce")}};
        if (account.empty() || by_jwk)
            header["jwk"] = *jose::to_jwk(key);
        else
            header["kid"] = account;
        request.body = *jose::sign(key, header, payload);
        return request;
    }
    CaReply post(const std::string& target, const Json& payload, bool by_jwk = false)
    {
        return post(target, payload.dump(), by_jwk);
    }

    CaReply register_account(Json payload = Json::object())
    {
        account.clear();
        auto reply = post("/newAccount", payload);
        if (reply.status < 300) account = reply.header("Location");
        return reply;
    }

    /// newOrder for names, one of which may be an address.
    CaReply order(const std::vector<std::string>& names, Json more = Json::object())
    {
        more["identifiers"] = Json::array();
        for (const auto& name : names)
            more["identifiers"].push_back(
                {{"type", name.find_first_not_of("0123456789.") == std::string::npos ? "ip" : "dns"},
                 {"value", name}});
        return post("/newOrder", more);
    }

    /// Answers a challenge of each authorization and waits until the order is no longer pending.
    Json fulfil(const CaReply& placed)
    {
        for (const auto& url : placed.body.at("authorizations")) {
            const auto authz = post(url.get<std::string>(), std::string{});
            if (authz.body.at("status") == "pending")
                post(authz.body.at("challenges").at(0).at("url").get<std::string>(), Json::object());
        }
        Json seen;
        REQUIRE(comes_true([&] {
            seen = post(placed.header("Location"), std::string{}).body;
            return seen.at("status") != "pending";
        }));
        return seen;
    }

    /// finalize with a request for a fresh key.
    CaReply finalize(const Json& placed)
    {
        crypto::CsrOptions wanted;
        for (const auto& identifier : placed.at("identifiers"))
            wanted.identifiers.push_back({identifier.at("type"), identifier.at("value")});
        certificate_key = *crypto::generate_key("ec:P-256");
        const auto csr = crypto::build_csr(certificate_key, wanted);
        return post(placed.at("finalize").get<std::string>(), {{"csr", base::to_base64url(csr->der)}});
    }

    /// The chain of a new order for `names`.
    std::vector<crypto::Certificate> issue(const std::vector<std::string>& names, Json more = Json::object())
    {
        const auto done = finalize(fulfil(order(names, std::move(more))));
        REQUIRE(done.body.value("status", "") == "valid");
        certificate_url = done.body.at("certificate");
        return *crypto::parse_pem_chain(post(certificate_url, std::string{}).text);
    }

    Folder folder;
    ca::Authority authority = *ca::Authority::open(folder / "ca", {"localhost"}, base::Context{}.now());
    ca::Faults faults;
    ca::ServiceOptions options;
    std::unique_ptr<ca::Service> service;
    crypto::Key key;
    crypto::Key certificate_key;
    std::string account;
    std::string certificate_url;

    static CaReply shown(http::ServerResponse response)
    {
        Json body;
        if (response.body.starts_with('{')) body = Json::parse(response.body, nullptr, false);
        return {response.status, body, response.body, response.headers};
    }
};

} // namespace acmetool::test
