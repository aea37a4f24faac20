#include "dns/update.h"

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "dns/ldns_ptr.h"
#include "net/endpoint.h"

namespace acmetool::dns
{
namespace
{

constexpr std::uint16_t kFudge = 300; // RFC 8945 section 10
constexpr std::uint32_t kTtl = 60;
constexpr int kNotAuth = 9;
constexpr int kBadTime = 18;

/// The TXT record of the update; class NONE and TTL 0 delete only this RDATA (RFC 2136 section 2.5.4).
LdnsRecord make_record(const std::string& name, const std::string& value, Change change)
{
    LdnsRecord record{ldns().rr_new()};
    ldns_rdf* owner = ldns().dname_new_frm_str(name.c_str());
    std::string text;
    text += static_cast<char>(value.size());
    text += value;
    ldns_rdf* data = ldns().rdf_new_frm_data(LDNS_RDF_TYPE_STR, text.size(), text.data());
    if (!record || owner == nullptr || data == nullptr || value.size() > 255) {
        ldns().rdf_deep_free(owner);
        ldns().rdf_deep_free(data);
        return nullptr;
    }
    ldns().rr_set_owner(record.get(), owner);
    ldns().rr_set_type(record.get(), LDNS_RR_TYPE_TXT);
    ldns().rr_set_class(record.get(), change == Change::add ? LDNS_RR_CLASS_IN : LDNS_RR_CLASS_NONE);
    ldns().rr_set_ttl(record.get(), change == Change::add ? kTtl : 0);
    ldns().rr_push_rdf(record.get(), data);
    return record;
}

LdnsPacket make_update(const std::string& zone, LdnsRecord record)
{
    ldns_rdf* apex = ldns().dname_new_frm_str(zone.c_str());
    ldns_rr_list* updates = ldns().rr_list_new();
    if (apex == nullptr || updates == nullptr || !record) {
        ldns().rdf_deep_free(apex);
        ldns().rr_list_free(updates);
        return nullptr;
    }
    ldns().rr_list_push_rr(updates, record.release());
    LdnsPacket packet{ldns().update_pkt_new(apex, LDNS_RR_CLASS_IN, nullptr, updates, nullptr)};
    ldns().rr_list_deep_free(updates);
    if (packet) ldns().pkt_set_id(packet.get(), crypto::random_number<std::uint16_t>());
    return packet;
}

/// The distinct TSIG errors of a NOTAUTH answer (RFC 8945 section 5.2).
Error tsig_error(int code, const TsigKey& key, const net::Endpoint& server)
{
    Error error;
    error.code = Errc::refused;
    const auto say = [&](const char* word, std::string reason, std::string hint) {
        error.message = fmt::format("DNS server {}: TSIG key \"{}\": {}", server.text(), key.name, word);
        error.reason = std::move(reason);
        error.hint = std::move(hint);
    };
    if (code == 16)
        say("BADSIG", "tsigBadSig", "the server has another secret for this key");
    else if (code == 17)
        say("BADKEY", "tsigBadKey", "the server has no key with this name and algorithm");
    else if (code == kBadTime)
        say("BADTIME", "tsigBadTime",
            "the clocks of this host and the DNS server differ by more than five minutes");
    else
        say("NOTAUTH", "dnsRefused",
            "the server is not authoritative for the zone, or the key may not change it");
    return error;
}

/// The answer's TSIG record if it has all fields (RFC 8945 section 4.2), else null.
const ldns_rr* tsig_of(const ldns_pkt* answer)
{
    constexpr std::size_t kFields = 7;
    const ldns_rr* tsig = ldns().pkt_tsig(answer);
    return tsig != nullptr && ldns().rr_rd_count(tsig) == kFields ? tsig : nullptr;
}

/// The error in an answer's TSIG record; 0 if it has none.
int tsig_code_of(const ldns_pkt* answer)
{
    const ldns_rr* tsig = tsig_of(answer);
    return tsig != nullptr ? ldns().rdf2native_int16(ldns().rr_rdf(tsig, 5)) : 0;
}

/// The answer's signature and time (RFC 8945 sections 5.2 and 5.4).
Result<void> check_signature(ldns_pkt* answer, ByteView wire, const TsigKey& key, const ldns_rdf* request_mac,
                             const net::Endpoint& server, base::TimePoint now)
{
    const ldns_rr* tsig = tsig_of(answer);
    const LdnsText name{strdup((key.name + ".").c_str())};
    const std::string secret{key.secret.reveal()};
    const bool good = tsig != nullptr && ldns().pkt_tsig_verify(answer, wire.data(), wire.size(), name.get(),
                                                                secret.c_str(), request_mac);
    if (!good) {
        if (ldns().pkt_get_rcode(answer) == kNotAuth)
            return fail(tsig_error(tsig_code_of(answer), key, server));
        return fail(Errc::protocol,
                    fmt::format("DNS server {}: the answer to a signed update is {}", server.text(),
                                tsig == nullptr ? "not signed" : "signed with a wrong signature"),
                    "another host on the path may have answered instead of the server", "tsigUnsigned");
    }
    const auto* time = ldns().rdf_data(ldns().rr_rdf(tsig, 1));
    std::int64_t signed_at = 0;
    for (int i = 0; i < 6; ++i)
        signed_at = signed_at << 8 | time[i];
    if (std::abs(signed_at - now.time_since_epoch().count()) > kFudge)
        return fail(tsig_error(kBadTime, key, server));
    return {};
}

} // namespace

Result<void> update_txt(const net::Endpoint& server, const TsigKey* key, const std::string& zone,
                        const std::string& name, const std::string& value, Change change,
                        base::Context& context)
{
    ACMETOOL_CHECK(ldns_library());
    const LdnsPacket packet = make_update(zone, make_record(name, value, change));
    if (!packet)
        return fail(Errc::bad_input,
                    fmt::format("{}: not a name that can be updated", base::printable(name)));
    LdnsRdf request_mac;
    if (key != nullptr) {
        const std::string secret{key->secret.reveal()};
        const std::string key_name = key->name + ".";
        const std::string algorithm = key->algorithm + ".";
        if (ldns().pkt_tsig_sign(packet.get(), key_name.c_str(), secret.c_str(), kFudge, algorithm.c_str(),
                                 nullptr) != LDNS_STATUS_OK)
            return fail(Errc::config, fmt::format("TSIG key \"{}\": the update cannot be signed", key->name),
                        {}, "tsigKey");
        request_mac.reset(ldns().rdf_clone(ldns().rr_rdf(ldns().pkt_tsig(packet.get()), 3)));
    }
    std::uint8_t* wire = nullptr;
    std::size_t size = 0;
    if (ldns().pkt2wire(&wire, packet.get(), &size) != LDNS_STATUS_OK)
        return fail(Errc::internal, "building a DNS update");
    const LdnsOctets owned{wire};
    LdnsPacket answer;
    // RFC 8945 section 5.4: an answer without a correct signature "SHOULD NOT be considered an acceptable
    // response", the client shall "continue to wait for a signed response until the request times out".
    const CheckReply check = [&](ByteView reply) -> Result<void> {
        ldns_pkt* raw = nullptr;
        const auto status = ldns().wire2pkt(&raw, reply.data(), reply.size());
        answer.reset(raw);
        if (status != LDNS_STATUS_OK)
            return fail(Errc::protocol, fmt::format("DNS server {}: not a DNS message", server.text()), {},
                        "badDnsMessage");
        if (key == nullptr) return {};
        return check_signature(answer.get(), reply, *key, request_mac.get(), server, context.now());
    };
    ACMETOOL_CHECK(exchange(server, {wire, size}, false, check, context));
    if (ldns().pkt_get_rcode(answer.get()) == LDNS_RCODE_NOERROR) return {};
    if (key != nullptr && ldns().pkt_get_rcode(answer.get()) == kNotAuth)
        return fail(tsig_error(tsig_code_of(answer.get()), *key, server));
    const LdnsText text{ldns().pkt_rcode2str(ldns().pkt_get_rcode(answer.get()))};
    return fail(Errc::refused,
                fmt::format("DNS server {}: update of {} in zone {}: {}", server.text(), name, zone,
                            text ? text.get() : "refused"),
                "check that the server's policy allows this key to change TXT records at this name",
                "dnsRefused");
}

} // namespace acmetool::dns
