#include "relay/teap_section.h"

#include "access/reply_attribute.h"

namespace acmetool::relay
{
namespace
{

// Of the 4,096 octets of a RADIUS packet.
constexpr unsigned kLargestFragment = 3700;
constexpr std::size_t kMostReplyOctets = 3000;

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
    std::string csrattrs = "both";
    std::string user_name = "authenticated";
    std::vector<std::string> numbers;
    unsigned fragment = static_cast<unsigned>(settings.fragment_size);
    section.text("authority_id", authority, "Authority-ID sent to peers");
    section.text("label", settings.label, "label whose rules apply, one of [label.NAME]");
    section.choice("ask", ask, {"needed", "always", "never"},
                   "when to request enrolment; needed: from devices with a manufacturer's certificate, or "
                   "with an issued one that expires soon");
    section.margin("renew", settings.renew, "renew an issued certificate this long before it expires");
    section.choice("kdf", kdf, {"auto", "rfc7170", "rfc9427"},
                   "key derivation with TLS 1.3; auto: RFC 9427; hostap's peers need rfc7170");
    section.choice("msk_no_inner", msk, {"imck1", "seed"}, "source of the MSK without an inner method");
    section.choice("order", order, {"binding-first", "binding-last"},
                   "send Crypto-Binding and Result before or after the enrolment");
    section.choice("status", status, {"failure", "success"},
                   "status of the Request-Action that requests a PKCS#10");
    section.choice("csrattrs", csrattrs, {"beside", "nested", "both"},
                   "place of the CSR attributes: beside the Request-Action (RFC 9930), in it "
                   "(draft-lear-eap-teap-brski), or both");
    section.choice("cert_only", cert_only, {"accept", "reject"},
                   "accept a certificate without enrolment, with TLS 1.3");
    section.choice("pending", pending, {"internal-ca-error", "retry-new-tunnel"},
                   "error sent if the CA takes longer than hold: 1026, or that of draft-lear-eap-teap-brski");
    section.duration(
        "retry_in_tunnel", settings.retry_in_tunnel,
        "longest wait for a certificate in the same tunnel; 0s: the device returns in a new one");
    section.text("nai", settings.nai, "network access identifier assigned to enrolled devices");
    section.choice("user_name", user_name, {"authenticated", "outer"},
                   "User-Name of the Access-Accept: the device's name, or the outer identity that it sent");
    section.list("numbers", numbers,
                 "NAME=NUMBER for TLVs and errors that are not assigned yet (draft-lear-eap-teap-brski)");
    section.number("fragment_size", fragment, 100, "size of an EAP packet; Framed-MTU may lower it");
    section.duration("hold", settings.hold,
                     "longest wait of an answer for the CA; must be less than the NAS's EAP timers");
    section.number("sessions", teap.sessions, 1, "maximum number of conversations");
    section.duration("session_life", teap.session_life, "time before an idle conversation is ended");
    section.duration("repeat", teap.repeat, "time that answers are kept for retransmitted requests");
    if (authority.empty() || authority.size() > 253)
        section.refuse("authority_id", "must be 1 to 253 octets");
    if (fragment > kLargestFragment)
        section.refuse(
            "fragment_size",
            fmt::format("must be at most {}: a RADIUS packet has at most 4096 octets, some of which "
                        "are other attributes'",
                        kLargestFragment));
    if (settings.nai.size() > 253) section.refuse("nai", "must be at most 253 octets");
    if (settings.retry_in_tunnel >= teap.session_life)
        section.refuse("retry_in_tunnel", "must be shorter than session_life");
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
    settings.attributes_place = csrattrs == "beside"   ? teap::AttributesPlace::beside
                                : csrattrs == "nested" ? teap::AttributesPlace::nested
                                                       : teap::AttributesPlace::both;
    teap.user_name = user_name == "outer" ? access::UserName::outer : access::UserName::authenticated;
    section.finish();
}

void read_client(Section section, access::Options& teap)
{
    access::Client client;
    std::string kdf = "auto";
    section.text("address", client.address,
                 "address of a NAS or proxy, or a network such as \"192.0.2.0/24\"");
    section.file("secret_file", client.secret_file, "file with the shared secret");
    section.choice("kdf", kdf, {"auto", "rfc7170", "rfc9427"},
                   "like kdf in [teap], for the peers of this client");
    section.require("address", !client.address.empty());
    section.require("secret_file", !client.secret_file.empty());
    client.kdf = kdf_of(kdf);
    section.finish();
    teap.clients.push_back(std::move(client));
}

void read_accept(Section section, access::Options& teap, const std::vector<std::string>& manufacturers)
{
    access::AcceptRule rule;
    std::string enrolled = "any";
    std::string termination = "reauthenticate";
    std::string session_class;
    std::vector<std::string> attributes;
    section.text("device", rule.device, "serial number or name of a device; a trailing * matches any ending");
    section.text("manufacturer", rule.manufacturer,
                 "name of the device's manufacturer, from [[manufacturer]] or [clients.idevid.NAME]");
    section.choice("enrolled", enrolled, {"any", "yes", "no"},
                   "whether the device received its certificate in this conversation");
    section.text("vlan", rule.vlan, "VLAN for the port (RFC 3580)");
    section.text("filter_id", rule.filter_id, "Filter-Id");
    section.duration("session_timeout", rule.session_timeout, "Session-Timeout; 0s: none");
    section.choice("termination", termination, {"reauthenticate", "end"},
                   "what the NAS does after session_timeout");
    section.text("class", session_class, "Class, which the NAS repeats in its accounting");
    section.list("attributes", attributes,
                 "NAME=VALUE of further attributes; NAME is a number or one of Reply-Message, Idle-Timeout, "
                 "Cisco-AVPair, Aruba-User-Role, ...");
    if (!session_class.empty()) attributes.push_back("Class=" + session_class);
    for (const auto& text : attributes)
        if (auto one = access::parse_reply_attribute(text))
            rule.attributes.push_back(std::move(*one));
        else
            section.refuse("attributes",
                           one.error().message + (one.error().hint.empty() ? "" : ": ") + one.error().hint);
    std::size_t size = 0;
    for (const auto& one : rule.attributes)
        size += 2 + one.value.size();
    if (size > kMostReplyOctets)
        section.refuse("attributes", fmt::format("must be at most {} octets in all", kMostReplyOctets));
    rule.reauthenticate = termination == "reauthenticate";
    if (!rule.manufacturer.empty() &&
        std::find(manufacturers.begin(), manufacturers.end(), rule.manufacturer) == manufacturers.end())
        section.refuse("manufacturer", "no manufacturer has this name");
    if (rule.vlan.size() > 250) section.refuse("vlan", "must be at most 250 octets");
    if (rule.filter_id.size() > 250) section.refuse("filter_id", "must be at most 250 octets");
    if (enrolled != "any") rule.enrolled = enrolled == "yes";
    section.finish();
    teap.accept.push_back(std::move(rule));
}

/// The names in [clients.idevid.NAME] and [[manufacturer]], which are read elsewhere.
std::vector<std::string> manufacturer_names(const toml::table& root)
{
    std::vector<std::string> names;
    if (const auto* idevid = root.at_path("clients.idevid").as_table())
        for (const auto& [key, node] : *idevid)
            if (node.is_table()) names.emplace_back(key.str());
    if (const auto* manufacturers = root["manufacturer"].as_array())
        for (const auto& node : *manufacturers)
            if (const auto* table = node.as_table())
                if (const auto name = (*table)["name"].value<std::string>()) names.push_back(*name);
    return names;
}

} // namespace

void read_teap(const toml::table& root, Reading& reading, Config& config)
{
    if (!config.teap) {
        for (const auto* name : {"teap", "client", "accept"})
            if (const auto* node = root.get(name))
                reading.fail(error_at(reading.file, node->source(),
                                      fmt::format("[{}] requires radius in [listen]", name)));
        return;
    }
    auto& teap = *config.teap;
    teap.certificate_file = config.http.certificate_file;
    teap.key_file = config.http.key_file;
    if (config.http.min_tls == http::TlsVersion::tls_1_3) teap.min_tls = "1.3";
    if (config.http.max_tls == http::TlsVersion::tls_1_2) teap.max_tls = "1.2";
    read_settings(Section{reading, "teap", root.at_path("teap").as_table()}, teap);
    const auto each = [&](const std::string& name, auto read) {
        if (reading.help != nullptr) read(Section{reading, "[" + name + "]", nullptr}, teap);
        if (const auto* tables = root[name].as_array(); tables != nullptr && reading.help == nullptr)
            for (const auto& node : *tables)
                read(Section{reading, "[" + name + "]", node.as_table()}, teap);
    };
    each("client", read_client);
    each("accept", [manufacturers = manufacturer_names(root)](Section section, access::Options& into) {
        read_accept(std::move(section), into, manufacturers);
    });
    if (teap.clients.empty() && reading.help == nullptr)
        Section{reading, "[client]", nullptr}.require("address", false);
}

} // namespace acmetool::relay
