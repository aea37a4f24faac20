#include "relay/teap_section.h"

namespace acmetool::relay
{
namespace
{

std::optional<teap::Kdf> kdf_of(const std::string& word)
{
    if (word == "auto") return std::nullopt;
    return word == "rfc9427" ? teap::Kdf::rfc9427 : teap::Kdf::rfc7170;
}

void read_settings(Section section, access::Options& teap)
{
    auto& settings = teap.settings;
    std::string authority{as_text(settings.authority_id)};
    std::string kdf = "auto";
    std::string msk = "imck1";
    std::string order = "binding-first";
    std::string status = "failure";
    std::string ask = "needed";
    std::string cert_only = "accept";
    std::string pending = "internal-ca-error";
    std::vector<std::string> numbers;
    unsigned fragment = static_cast<unsigned>(settings.fragment_size);
    section.text("authority_id", authority, "Authority-ID that peers are shown");
    section.text("label", settings.label, "one of the labels of [label.NAME], whose rules apply");
    section.choice("ask", ask, {"needed", "always", "never"},
                   "when a device is asked to enrol; needed: with a manufacturer's certificate, or ours near "
                   "its end");
    section.margin("renew", settings.renew, "a certificate of ours is near its end so long before");
    section.choice("kdf", kdf, {"auto", "rfc7170", "rfc9427"},
                   "key derivation under TLS 1.3; auto: RFC 9427, hostap's peers want rfc7170");
    section.choice("msk_no_inner", msk, {"imck1", "seed"}, "what the MSK is derived from");
    section.choice("order", order, {"binding-first", "binding-last"},
                   "whether Crypto-Binding and Result come before the enrolment or after it");
    section.choice("status", status, {"failure", "success"}, "of the Request-Action that asks for a PKCS#10");
    section.choice("cert_only", cert_only, {"accept", "reject"},
                   "let in by certificate alone, without enrolment, under TLS 1.3");
    section.choice(
        "pending", pending, {"internal-ca-error", "retry-new-tunnel"},
        "error told where the CA takes longer than hold: 1026, or draft-lear-eap-teap-brski's own");
    section.duration("retry_in_tunnel", settings.retry_in_tunnel,
                     "a certificate that comes no later is waited for in the same tunnel; 0s: in a new one");
    section.text("nai", settings.nai, "network access identifier that enrolled devices use from then on");
    section.list("numbers", numbers,
                 "NAME=NUMBER of TLVs and errors that nobody assigned (draft-lear-eap-teap-brski)");
    section.number("fragment_size", fragment, 100, "octets of an EAP packet; Framed-MTU may lower it");
    section.duration("hold", teap.hold, "how long an answer may wait for the CA; below the NAS's EAP timers");
    section.number("sessions", teap.sessions, 1, "conversations at once");
    section.duration("session_life", teap.session_life, "a conversation without a packet ends");
    section.duration("repeat", teap.repeat, "answers are kept so long for repeated requests");
    if (authority.empty() || authority.size() > 253) section.refuse("authority_id", "1 to 253 octets");
    if (fragment > 4000) section.refuse("fragment_size", "at most 4000, as a RADIUS packet has 4096");
    if (settings.nai.size() > 253) section.refuse("nai", "at most 253 octets");
    if (settings.retry_in_tunnel >= teap.session_life)
        section.refuse("retry_in_tunnel", "has to be shorter than session_life");
    for (const auto& number : numbers)
        if (const auto set = teap::set_number(settings.numbers, number); !set)
            section.refuse("numbers", set.error().message);
    settings.pending_error = pending == "retry-new-tunnel" ? settings.numbers.retry_new_tunnel
                                                           : teap::error_code::kInternalCaError;
    settings.authority_id = {as_bytes(authority).begin(), as_bytes(authority).end()};
    settings.fragment_size = fragment;
    settings.kdf = kdf_of(kdf);
    settings.msk_no_inner = msk == "seed" ? teap::MskSource::seed : teap::MskSource::imck1;
    settings.order = order == "binding-last" ? teap::Order::binding_last : teap::Order::binding_first;
    settings.request_status = status == "success" ? teap::Status::success : teap::Status::failure;
    settings.ask = ask == "always"  ? teap::AskPolicy::always
                   : ask == "never" ? teap::AskPolicy::never
                                    : teap::AskPolicy::needed;
    settings.cert_only = cert_only == "accept";
    section.finish();
}

void read_client(Section section, access::Options& teap)
{
    access::Client client;
    std::string kdf = "auto";
    section.text("address", client.address, "address of a NAS or proxy, or a network, \"192.0.2.0/24\"");
    section.file("secret_file", client.secret_file, "file with the shared secret");
    section.choice("kdf", kdf, {"auto", "rfc7170", "rfc9427"}, "as in [teap], for the peers behind it");
    section.require("address", !client.address.empty());
    section.require("secret_file", !client.secret_file.empty());
    client.kdf = kdf_of(kdf);
    section.finish();
    teap.clients.push_back(std::move(client));
}

void read_accept(Section section, access::Options& teap)
{
    access::AcceptRule rule;
    std::string enrolled = "any";
    section.text("device", rule.device,
                 "serial number or name of devices, * at its end for all that begin so");
    section.choice("enrolled", enrolled, {"any", "yes", "no"}, "got its certificate in this conversation");
    section.text("vlan", rule.vlan, "VLAN for the port (RFC 3580)");
    section.text("filter_id", rule.filter_id, "Filter-Id");
    section.duration("session_timeout", rule.session_timeout, "Session-Timeout; 0s: none");
    if (rule.vlan.size() > 250) section.refuse("vlan", "at most 250 octets");
    if (rule.filter_id.size() > 250) section.refuse("filter_id", "at most 250 octets");
    if (enrolled != "any") rule.enrolled = enrolled == "yes";
    section.finish();
    teap.accept.push_back(std::move(rule));
}

} // namespace

void read_teap(const toml::table& root, Reading& reading, Config& config)
{
    if (!config.teap) {
        for (const auto* name : {"teap", "client", "accept"})
            if (const auto* node = root.get(name))
                reading.fail(
                    error_at(reading.file, node->source(), fmt::format("[{}] needs [listen] radius", name)));
        return;
    }
    auto& teap = *config.teap;
    teap.certificate_file = config.http.certificate_file;
    teap.key_file = config.http.key_file;
    if (config.http.min_tls == http::TlsVersion::tls_1_3) teap.min_tls = "1.3";
    read_settings(Section{reading, "teap", root.at_path("teap").as_table()}, teap);
    const auto each = [&](const std::string& name, auto read) {
        if (reading.help != nullptr) read(Section{reading, "[" + name + "]", nullptr}, teap);
        if (const auto* tables = root[name].as_array(); tables != nullptr && reading.help == nullptr)
            for (const auto& node : *tables)
                read(Section{reading, "[" + name + "]", node.as_table()}, teap);
    };
    each("client", read_client);
    each("accept", read_accept);
    if (teap.clients.empty() && reading.help == nullptr)
        Section{reading, "[client]", nullptr}.require("address", false);
    if (!config.serves_est) config.ra.wait = teap.hold;
}

} // namespace acmetool::relay
