#include "ca/service_impl.h"

#include <fmt/core.h>

#include "acme/certificate_id.h"
#include "base/base64url.h"

namespace acmetool::ca
{

Answer<ServerResponse> Service::Impl::certificate(const SignedRequest& request, const std::string& id,
                                                  bool alternate)
{
    CA_TRY(object, owned("certificate", id, request.account));
    auto chain = object["chain"].get<std::string>();
    if (alternate) {
        const auto second = chain.find("-----BEGIN", 1);
        chain = chain.substr(0, second) + authority.alternate_intermediate().to_pem();
    }
    const auto fault = faults.value("certificate").value_or("");
    if (fault == "noalternate" && alternate) return refuse(404, "malformed", "the fault certificate is on");
    if (fault == "noeol" && chain.ends_with('\n')) chain.pop_back();
    if (fault == "text") chain = "Certificate of the lab\n\n" + chain + "That is all.\n";
    if (fault == "crlf")
        for (std::size_t at = 0; (at = chain.find('\n', at)) != std::string::npos; at += 2)
            chain.insert(at, 1, '\r');
    if (fault == "wrongorder" || (fault == "wrongalternate" && alternate)) {
        const auto second = chain.find("-----BEGIN", 1);
        chain = chain.substr(second) + chain.substr(0, second);
    }
    if (fault == "foreignblock") chain += "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    ServerResponse response{200, {{"Content-Type", "application/pem-certificate-chain"}}, chain, false};
    // RFC 8555 section 7.4.2: "one or more link relation header fields with relation "alternate"".
    const auto other = url(fmt::format("/certificate/{}{}", id, alternate ? "" : "/alternate"));
    if (!faults.value("noAlternate"))
        response.headers.emplace_back("Link", fmt::format("<{}>;rel=\"alternate\"", other));
    return response;
}

Answer<ServerResponse> Service::Impl::revoke(const SignedRequest& request)
{
    const auto der = base::parse_base64url(base::string_member(request.payload, "certificate").value_or(""));
    if (!der) return refuse(400, "malformed", "\"certificate\" is not base64url");
    const auto parsed = crypto::parse_certificates(as_text(*der), "certificate");
    if (!parsed) return refuse(400, "malformed", parsed.error().message);
    const auto& certificate = parsed->front();
    auto found = records.find("certificate", "", certificate.serial());
    if (!found) return broken(found.error());
    if (found->empty()) return refuse(404, "malformed", "this CA did not issue that certificate");
    auto& [id, object] = found->front();
    // The number alone says nothing: anybody can make a certificate with it, for a key of their own.
    const auto issued = crypto::parse_certificates(object.at("chain").get<std::string>(), "chain");
    if (!issued) return broken(issued.error());
    if (issued->front().sha256() != certificate.sha256())
        return refuse(404, "malformed", "this CA did not issue that certificate");
    bool allowed = request.account.empty() ? certificate.public_key().same_public_key(request.key)
                                           : base::string_member(object, "account") == request.account;
    if (!allowed && !request.account.empty()) {
        // RFC 8555 section 7.6: an account that "holds authorizations for all of the identifiers in the
        // certificate".
        allowed = true;
        for (const auto& identifier : certificate.identifiers()) {
            const bool wildcard = identifier.value.starts_with("*.");
            CA_TRY(covering,
                   covering_authz(request.account, identifier.value.substr(wildcard ? 2 : 0), wildcard));
            allowed = allowed && !covering.empty();
        }
    }
    if (!allowed)
        return refuse(403, "unauthorized", "neither the certificate's account nor its key signed this");
    if (object.contains("revoked"))
        return refuse(400, "alreadyRevoked", "the certificate is revoked already");
    const auto reason = request.payload.find("reason");
    const bool given = reason != request.payload.end();
    const std::int64_t code = !given                                         ? 0
                              : reason->is_number_integer() && *reason <= 10 ? reason->get<std::int64_t>()
                                                                             : -1;
    // RFC 5280 section 5.3.1: removeFromCRL (8) "may only appear in delta CRLs", and here are none.
    if (code < 0 || code == 7 || code == 8)
        return refuse(400, "badRevocationReason", "reasons are 0 to 6, 9 and 10");
    if (request.account.empty())
        if (const auto forgotten = forget_uris(object["account"].get<std::string>()); !forgotten)
            return tl::unexpected(forgotten.error());
    object["revoked"] = base::to_rfc3339(now());
    object["reason"] = code;
    CA_STORE(
        records.put("certificate", id, object["account"].get<std::string>(), certificate.serial(), object));
    CA_STORE(records.put("revocation", id, "", certificate.serial(),
                         {{"serial", object["serial"]}, {"revoked", object["revoked"]}, {"reason", code}}));
    return ServerResponse{200, {}, {}, false};
}

Answer<std::pair<std::string, Json>> Service::Impl::find_certificate(const std::string& certificate_id)
{
    const auto none = [] { return refuse(404, "malformed", "that is the ID of no certificate of this CA"); };
    const auto dot = certificate_id.find('.');
    if (dot == std::string::npos) return none();
    const auto octets = base::parse_base64url(std::string_view{certificate_id}.substr(dot + 1));
    if (!octets || octets->empty()) return none();
    std::string serial;
    for (std::size_t i = octets->size() > 1 && octets->front() == 0 ? 1 : 0; i < octets->size(); ++i)
        serial += fmt::format("{:02x}", (*octets)[i]);
    auto found = records.find("certificate", "", serial);
    if (!found) return broken(found.error());
    for (auto& entry : *found) {
        const auto chain = crypto::parse_certificates(entry.second.at("chain").get<std::string>(), "chain");
        if (chain && acme::certificate_id(chain->front()) == certificate_id) return std::move(entry);
    }
    return none();
}

Answer<ServerResponse> Service::Impl::renewal_info(const std::string& certificate_id)
{
    CA_TRY(found, find_certificate(certificate_id));
    const auto& certificate = found.second;
    const auto fault = faults.value("renewalInfo").value_or("");
    if (fault == "missing") return refuse(404, "malformed", "the fault renewalInfo is on");
    // In the last third of its life; at once where it is revoked.
    const auto from = time_of(certificate, "notBefore");
    const auto to = time_of(certificate, "notAfter");
    auto start = from + (to - from) * 2 / 3;
    auto end = from + (to - from) * 5 / 6;
    if (certificate.contains("revoked") || fault == "past") {
        start = now() - std::chrono::hours{2};
        end = now() - std::chrono::hours{1};
    }
    if (fault == "now") {
        start = now() - std::chrono::minutes{1};
        end = now() + std::chrono::minutes{1};
    }
    if (fault == "endBeforeStart") std::swap(start, end);
    Json object{{"suggestedWindow", {{"start", base::to_rfc3339(start)}, {"end", base::to_rfc3339(end)}}}};
    if (fault == "malformed") object["suggestedWindow"] = "soon";
    if (fault == "explained") object["explanationURL"] = url("/directory");
    auto response = reply(200, object);
    if (const auto wait = faults.value("retryAfter").value_or("21600"); wait != "none")
        response.headers.emplace_back("Retry-After", wait);
    return response;
}

Result<void> Service::each_certificate(const std::string& database,
                                       const std::function<Result<void>(Json)>& look)
{
    ACMETOOL_TRY(opened, Records::open(database));
    return Records{*opened}.each("certificate", [&](const std::string&, Json object) {
        object.erase("chain");
        object.erase("account");
        return look(std::move(object));
    });
}

} // namespace acmetool::ca
