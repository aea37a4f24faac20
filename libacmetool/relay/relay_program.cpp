#include "relay/relay_program.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "cli/daemon.h"
#include "cli/signals.h"
#include "http/client.h"
#include "net/endpoint.h"
#include "relay/check.h"
#include "relay/daemon.h"

namespace acmetool::cli
{
namespace
{

constexpr int kConfigStatus = 78;

/// Reads the file again; a wrong one leaves everything as it is.
void reload(const RelayOptions& options, relay::Kind kind, relay::Daemon& daemon, relay::EventLog& log)
{
    notify_reloading();
    auto done = relay::load_config(options.config, kind).and_then([&](const relay::Config& config) {
        return daemon.reload(config);
    });
    if (done) {
        for (const auto& kept : *done)
            log.log(base::Level::warning, kept);
        log.log(base::Level::info, "reloaded");
    } else {
        log.log(base::Level::error,
                fmt::format("not reloaded, the old configuration remains in use: {}", done.error().message));
    }
    notify_service_manager("READY=1");
}

Result<void> serve(const RelayOptions& options, const std::string& name, relay::Kind kind, Io& io)
{
    forbid_core_dumps();
    watch_hangup();
    ACMETOOL_TRY(config, relay::load_config(options.config, kind));
    relay::EventLog log{name, io};
    ACMETOOL_TRY(daemon, relay::Daemon::start(config, log, io.context()));
    base::Json urls{{"admin", daemon->admin_url()}};
    if (const auto est = daemon->est_url(); !est.empty()) urls["est"] = est;
    if (const auto radius = daemon->radius_url(); !radius.empty()) urls["radius"] = radius;
    ACMETOOL_CHECK(io.write_document("ready", {{"urls", urls}, {"pid", getpid()}}));
    notify_service_manager("READY=1");
    while (next_signal() == SignalRequest::reload)
        reload(options, kind, *daemon, log);
    notify_service_manager("STOPPING=1");
    daemon->drain();
    return {};
}

std::string explanation()
{
    std::string text;
    std::string section;
    for (const auto& key : relay::explain_relay_config()) {
        if (key.section != section) text += fmt::format("{}{}\n", section.empty() ? "" : "\n", key.section);
        section = key.section;
        text += fmt::format("  {:24} {}{}\n", key.key, key.help,
                            key.fallback.empty() ? "" : fmt::format("; default: {}", key.fallback));
    }
    return text;
}

Result<void> check(const RelayOptions& options, relay::Kind kind, Io& io)
{
    if (options.explain) return io.write(explanation());
    ACMETOOL_TRY(config, relay::load_config(options.config, kind));
    auto findings = relay::check_files(config, io.context().now());
    if (options.online)
        for (auto& finding : relay::check_online(config, io.context()))
            findings.push_back(std::move(finding));
    if (std::any_of(findings.begin(), findings.end(),
                    [](const auto& finding) { return finding.verdict == relay::Verdict::fail; }))
        io.exit_with(kConfigStatus);
    if (io.json()) return io.write_document("check", {{"findings", relay::to_json(findings)}});
    std::string text;
    for (const auto& finding : findings) {
        text += fmt::format("{:4}  {}: {}\n", relay::name_of(finding.verdict), finding.subject, finding.text);
        if (!finding.hint.empty()) text += fmt::format("      hint: {}\n", finding.hint);
    }
    return io.write(text);
}

/// Queries the running relay's administration listener.
Result<void> status(const RelayOptions& options, relay::Kind kind, Io& io)
{
    ACMETOOL_TRY(config, relay::load_config(options.config, kind));
    http::ClientOptions settings;
    settings.allow_plain_http = true;
    settings.connect_timeout = std::chrono::seconds{5};
    http::Client client{settings, io.context()};
    const auto host =
        config.admin.host == "0.0.0.0" || config.admin.host == "::" ? "localhost" : config.admin.host;
    const auto url = "http://" + net::Endpoint{host, config.admin.port}.text() + "/status";
    auto reply = client.send({http::Method::get, url, {}, {}});
    if (!reply) {
        reply.error().hint = "check that the relay runs with this configuration";
        return fail(std::move(reply).error());
    }
    if (reply->status != 200)
        return fail(Errc::protocol, fmt::format("{}: status {}", url, reply->status), {}, "adminStatus");
    ACMETOOL_TRY(document, base::parse_json_object(reply->body, url));
    if (io.json()) {
        auto members = document;
        members.erase("type");
        members.erase("version");
        return io.write_document("relay-status", members);
    }
    std::string text;
    for (const auto& [name, value] : document.items())
        if (name != "type" && name != "version")
            text += fmt::format("{:16} {}\n", name,
                                value.is_string() ? value.get<std::string>() : base::to_text(value));
    return io.write(text);
}

} // namespace

void add_relay(Program& program, RelayOptions& options, const std::string& name, relay::Kind kind,
               const std::string& serve_help)
{
    program.verb("serve", serve_help).own_config(options.config).action([&options, name, kind](Io& io) {
        return serve(options, name, kind, io);
    });
    program.verb("check", "check the configuration and every file that it names")
        .own_config(options.config)
        .flag("--online", options.online, "Also query the ACME server and the name servers")
        .flag("--explain", options.explain, "Print every key of the configuration file")
        .action([&options, kind](Io& io) { return check(options, kind, io); });
    program.verb("status", "print the status of the running relay")
        .own_config(options.config)
        .action([&options, kind](Io& io) { return status(options, kind, io); });
}

} // namespace acmetool::cli
