#include "acme-preauth/dns_policy.h"

#include <filesystem>
#include <memory>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/wipe.h"
#include "crypto/digest.h"
#include "dns/name.h"
#include "dns/propagation.h"

namespace acmetool::cli
{
namespace
{

struct PolicyOptions {
    std::vector<std::string> domains;
    std::string server;
    std::string zone;
    std::string key_name;
    std::string key_out;
    std::string resolver;
};

struct Plan {
    std::string zone;
    std::string key_name;
    std::string key_file;           ///< included by the name server
    std::vector<std::string> names; ///< of the records
};

Result<std::string> zone_of(const PolicyOptions& options, const std::vector<std::string>& names, Io& io)
{
    if (!options.zone.empty()) return dns::normalize_name(options.zone);
    ACMETOOL_TRY(resolver, dns::resolver_of(options.resolver));
    auto zone = dns::find_zone(resolver, names.front(), io.context());
    if (!zone) zone.error().hint = "give the zone with --zone";
    return zone;
}

base::Secret new_secret()
{
    auto octets = crypto::random_bytes(32);
    base::Secret secret{base::to_base64(octets)};
    base::wipe(octets);
    return secret;
}

std::string bind_policy(const Plan& plan)
{
    auto text = fmt::format("// For named.conf. The same key file is for the client's --tsig-key:\n"
                            "include \"{}\";\n"
                            "// Within zone \"{}\" {{ ... }}:\n"
                            "update-policy {{\n",
                            plan.key_file, plan.zone);
    for (const auto& name : plan.names)
        text += fmt::format("    grant {} name {}. TXT;\n", plan.key_name, name);
    return text + "};\n";
}

std::string knot_policy(const Plan& plan)
{
    std::string owners;
    for (const auto& name : plan.names)
        owners += fmt::format("{}{}.", owners.empty() ? "" : ", ", name);
    return fmt::format("# For knot.conf. The key:\n"
                       "include: \"{0}\"\n"
                       "acl:\n"
                       "  - id: {1}\n"
                       "    key: {1}\n"
                       "    action: update\n"
                       "    update-type: [TXT]\n"
                       "    update-owner: name\n"
                       "    update-owner-match: equal\n"
                       "    update-owner-name: [{2}]\n"
                       "# In the section of the zone {3}:\n"
                       "#   acl: {1}\n",
                       plan.key_file, plan.key_name, owners, plan.zone);
}

Result<Plan> plan_of(const PolicyOptions& options, Io& io)
{
    Plan plan;
    ACMETOOL_TRY(domains, dns::normalize_names(options.domains));
    for (const auto& domain : domains)
        plan.names.push_back(dns::validation_name(domain));
    ACMETOOL_TRY(zone, zone_of(options, plan.names, io));
    plan.zone = zone;
    for (const auto& name : plan.names)
        if (!dns::is_subdomain_of(name, zone))
            return fail(Errc::bad_input, fmt::format("{} is not in the zone {}", name, zone),
                        "run acme-preauth dns-policy once for each zone", "otherZone");
    ACMETOOL_TRY(key_name, dns::normalize_name(options.key_name.empty() ? "acme." + zone : options.key_name));
    plan.key_name = key_name;
    std::error_code none;
    const auto file = std::filesystem::absolute(options.key_out, none).string();
    plan.key_file = options.server == "bind" ? file : file + ".knot";
    if (file.find_first_of("\"\\\n") != std::string::npos)
        return fail(Errc::usage,
                    "--key-out: the path must not contain a quotation mark, backslash or newline", {},
                    "keyOut");
    return plan;
}

Result<void> dns_policy(const PolicyOptions& options, Io& io)
{
    if (options.server.empty())
        return fail(Errc::usage, "--server is required", "give --server bind or --server knot", "server");
    if (options.key_out.empty())
        return fail(Errc::usage, "no --key-out", "give the file for the new key with --key-out", "noKeyOut");
    ACMETOOL_TRY(plan, plan_of(options, io));
    // Check both files before writing one, so that a failure leaves neither.
    std::error_code none;
    for (const auto& file : {options.key_out, plan.key_file})
        if (std::filesystem::exists(file, none))
            return fail(Errc::cannot_create, fmt::format("{}: already exists", file),
                        "keys are never overwritten: choose another --key-out", Cause::file_exists);
    const auto secret = new_secret();
    const base::Secret key{fmt::format("key \"{}\" {{\n    algorithm hmac-sha256;\n    secret \"{}\";\n}};\n",
                                       plan.key_name, secret.reveal())};
    ACMETOOL_CHECK(io.write_key(options.key_out, key.reveal()));
    if (options.server == "knot") {
        const base::Secret section{
            fmt::format("key:\n  - id: {}\n    algorithm: hmac-sha256\n    secret: {}\n", plan.key_name,
                        secret.reveal())};
        ACMETOOL_CHECK(io.write_key(plan.key_file, section.reveal()));
    }
    const auto policy = options.server == "bind" ? bind_policy(plan) : knot_policy(plan);
    if (!io.json()) return io.write(policy);
    return io.write_document("dns-policy", {{"server", options.server},
                                            {"zone", plan.zone},
                                            {"keyName", plan.key_name},
                                            {"keyFile", options.key_out},
                                            {"serverKeyFile", plan.key_file},
                                            {"records", plan.names},
                                            {"policy", policy}});
}

} // namespace

void add_dns_policy(Program& program)
{
    auto options = std::make_shared<PolicyOptions>();
    program.verb("dns-policy", "create a TSIG key, print the policy that limits it to the validation records")
        .option("--server SERVER", options->server, "Name server software: bind or knot")
        .choices({"bind", "knot"}, "server")
        .option("--key-out FILE", options->key_out, "File for the new key, in the form that --tsig-key reads")
        .option("--key-name NAME", options->key_name, "Name of the key; default: acme.ZONE")
        .option("--zone ZONE", options->zone, "Zone of the domains; default: found with the resolver")
        .option("--resolver HOST[:PORT]", options->resolver, "Find the zone with this resolver")
        .words("DOMAIN", options->domains, "Domain to be authorized", true)
        .without({"ca-file"})
        .example("acme-preauth dns-policy --server knot --key-out tsig.key domain.com")
        .action([options](Io& io) { return dns_policy(*options, io); });
}

} // namespace acmetool::cli
