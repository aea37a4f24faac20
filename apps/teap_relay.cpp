// teap-relay: RADIUS and TEAP server that enrols through ACME (RFC 7170, RFC 3579, RFC 8555, RFC 9444).
#include <unistd.h>

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/daemon.h"
#include "cli/program.h"
#include "http/client.h"
#include "relay/check.h"
#include "relay/daemon.h"

using namespace acmetool;

namespace
{

constexpr int kConfigStatus = 78;

struct Options {
    std::string config;
    bool online = false;
    bool explain = false;
};

/// Reads the file again; a wrong one leaves everything as it is.
void reload(const Options& options, relay::Daemon& daemon, relay::EventLog& log)
{
    cli::notify_reloading();
    auto done =
        relay::load_config(options.config, relay::Kind::teap).and_then([&](const relay::Config& config) {
            return daemon.reload(config);
        });
    if (done) {
        for (const auto& kept : *done)
            log.log(base::Level::warning, kept);
        log.log(base::Level::info, "reloaded");
    } else {
        log.log(base::Level::error,
                fmt::format("not reloaded, the old configuration stays: {}", done.error().message));
    }
    cli::notify_service_manager("READY=1");
}

Result<void> serve(const Options& options, cli::Io& io)
{
    cli::forbid_core_dumps();
    cli::watch_hangup();
    ACMETOOL_TRY(config, relay::load_config(options.config, relay::Kind::teap));
    relay::EventLog log{"teap-relay", io.json_log(), io.log_level()};
    ACMETOOL_TRY(daemon, relay::Daemon::start(config, log));
    base::Json urls{{"radius", daemon->radius_url()}, {"admin", daemon->admin_url()}};
    if (const auto est = daemon->est_url(); !est.empty()) urls["est"] = est;
    ACMETOOL_CHECK(io.write_document("ready", {{"urls", urls}, {"pid", getpid()}}));
    cli::notify_service_manager("READY=1");
    while (!io.context().interrupted()) {
        if (cli::take_hangup()) reload(options, *daemon, log);
        usleep(50'000);
    }
    cli::notify_service_manager("STOPPING=1");
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

Result<void> check(const Options& options, cli::Io& io)
{
    if (options.explain) return io.write(explanation());
    ACMETOOL_TRY(config, relay::load_config(options.config, relay::Kind::teap));
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

/// Asks the running relay's administration listener.
Result<void> status(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(config, relay::load_config(options.config, relay::Kind::teap));
    http::ClientOptions settings;
    settings.allow_plain_http = true;
    settings.connect_timeout = std::chrono::seconds{5};
    http::Client client{settings, io.context()};
    const auto host =
        config.admin.host == "0.0.0.0" || config.admin.host == "::" ? "localhost" : config.admin.host;
    const auto url = "http://" + dns::Endpoint{host, config.admin.port}.text() + "/status";
    auto reply = client.send({http::Method::get, url, {}, {}});
    if (!reply) {
        reply.error().hint = "does the relay run with this configuration?";
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

int main(int argc, char** argv)
{
    cli::Program program{"teap-relay", "RADIUS/TEAP server that enrols through ACME"};
    Options options;
    program.verb("serve", "answer RADIUS requests until SIGTERM; SIGHUP reloads")
        .own_config(options.config)
        .action([&](cli::Io& io) { return serve(options, io); });
    program.verb("check", "look at the configuration and every file that it names")
        .own_config(options.config)
        .flag("--online", options.online, "Ask the ACME server and the name servers, too")
        .flag("--explain", options.explain, "Print every key of the configuration file")
        .action([&](cli::Io& io) { return check(options, io); });
    program.verb("status", "ask the running relay how it is")
        .own_config(options.config)
        .action([&](cli::Io& io) { return status(options, io); });
    return program.main(argc, argv);
}
