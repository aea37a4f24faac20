#include "relay/relay_program.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/apart.h"
#include "cli/daemon.h"
#include "cli/signals.h"
#include "http/client.h"
#include "net/endpoint.h"
#include "relay/check.h"
#include "relay/daemon.h"
#include "relay/health.h"
#include "relay/screen.h"
#include "relay/secrets.h"
#include "relay/store_command.h"

namespace acmetool::cli
{
namespace
{

constexpr int kConfigStatus = 78;

/// The configuration, and a look at every file that it names, apart from the thread that signals reach: a
/// file may be on a mount that hangs.
Result<relay::Config> load_apart(const std::string& file, relay::Kind kind,
                                 const std::function<void()>& waits)
{
    return run_apart<relay::Config>([file, kind] { return relay::load_config(file, kind); },
                                    "the files of the configuration", waits);
}

constexpr const char* kHangs =
    "the files that the configuration names cannot be read yet: check whether a mount hangs";

/// Reads the file again; a wrong one leaves everything as it is.
void reload(const RelayOptions& options, relay::Kind kind, relay::Daemon& daemon, relay::EventLog& log,
            base::Context& context)
{
    notify_reloading();
    auto done = load_apart(options.config, kind, [&] {
                    log.log(base::Level::warning, kHangs);
                }).and_then([&](const relay::Config& config) {
        relay::warn_of_exposed(config, context);
        return daemon.reload(config, context);
    });
    if (done) {
        for (const auto& sentences : {done->kept, done->warnings})
            for (const auto& sentence : sentences)
                log.log(base::Level::warning, sentence);
        for (const auto& change : done->changed)
            log.log(base::Level::info, change);
        log.log(base::Level::info, "reloaded");
    } else {
        const auto& error = done.error();
        log.log(base::Level::error,
                fmt::format("not reloaded, the old configuration remains in use: {}{}", error.message,
                            error.hint.empty() ? "" : fmt::format(" ({})", error.hint)));
    }
    notify_service_manager("READY=1");
}

Result<void> serve(const RelayOptions& options, const std::string& name, relay::Kind kind, Io& io)
{
    watch_hangup();
    ACMETOOL_TRY(config,
                 load_apart(options.config, kind, [&] { io.context().log(base::Level::warning, kHangs); }));
    relay::EventLog log{name, io};
    relay::warn_of_exposed(config, io.context());
    ACMETOOL_TRY(daemon, relay::Daemon::start(config, log, io.context()));
    base::Json urls{{"admin", daemon->admin_url()}};
    if (const auto est = daemon->est_url(); !est.empty()) urls["est"] = est;
    if (const auto radius = daemon->radius_url(); !radius.empty()) urls["radius"] = radius;
    log.log(base::Level::info, "listening on " + base::join(daemon->addresses(), ", "));
    ACMETOOL_CHECK(io.write_document("ready", {{"urls", urls}, {"pid", getpid()}}));
    notify_service_manager("READY=1");
    while (next_signal() == SignalRequest::reload)
        reload(options, kind, *daemon, log, io.context());
    notify_service_manager("STOPPING=1");
    daemon->drain();
    return {};
}

base::Json to_json(const relay::StoreStatus& status)
{
    base::Json relays = base::Json::array();
    for (const auto& one : status.relays)
        relays.push_back({{"instance", one.instance}, {"alive", one.is_alive}, {"settings", one.settings}});
    return {{"store", status.id},
            {"schema", status.version},
            {"certificates", status.certificates},
            {"ordersUnderWay", status.orders_under_way},
            {"relays", std::move(relays)}};
}

std::string to_text(const relay::StoreStatus& status)
{
    auto text = fmt::format("{}: tables of version {}, {} certificates, {} orders under way\n", status.id,
                            status.version, status.certificates, status.orders_under_way);
    for (const auto& one : status.relays)
        text += fmt::format("{} {}\n", one.instance, one.is_alive ? "runs" : "ended");
    return text;
}

Result<void> store_command(const RelayOptions& options, relay::Kind kind, Io& io)
{
    const auto wrong = [](std::string message) {
        return fail(Errc::usage, std::move(message),
                    "store init, store upgrade, store status, store copy --from FILE, store grants ROLE");
    };
    const auto action = options.action.empty() ? std::string{} : options.action.front();
    constexpr std::array<std::string_view, 5> kActions{"init", "upgrade", "status", "copy", "grants"};
    if (!action.empty() && std::find(kActions.begin(), kActions.end(), action) == kActions.end())
        return wrong(fmt::format("store cannot do {}", base::printable(action, 60)));
    const bool takes_role = action == "grants";
    if (options.action.size() != (takes_role ? 2U : 1U))
        return wrong(action.empty() ? "store needs to know what to do"
                     : takes_role   ? "store grants needs the name of a role"
                                    : fmt::format("store {} takes no argument", base::printable(action, 60)));
    if (takes_role) {
        ACMETOOL_TRY(text, relay::store_grants(options.action[1]));
        return io.write(text);
    }
    if ((action == "copy") == options.from.empty())
        return wrong(action == "copy" ? "store copy needs --from FILE" : "only store copy takes --from");
    ACMETOOL_TRY(config, relay::load_config(options.config, kind));
    if (action == "copy") {
        constexpr std::string_view kScheme = "sqlite:";
        const auto file =
            options.from.starts_with(kScheme) ? options.from.substr(kScheme.size()) : options.from;
        ACMETOOL_TRY(rows, relay::copy_store(config, file, io.context()));
        io.context().log(base::Level::info, fmt::format("{} rows copied", rows));
    } else if (action == "init") {
        ACMETOOL_CHECK(relay::init_store(config));
    } else if (action == "upgrade") {
        ACMETOOL_CHECK(relay::upgrade_store(config));
    }
    ACMETOOL_TRY(status, relay::store_status(config));
    if (io.json()) return io.write_document("store-status", to_json(status));
    return io.write(to_text(status));
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
Result<void> status(const RelayOptions& options, const std::string& name, relay::Kind kind, Io& io)
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
    const auto troubles = relay::troubles_in(document, name, io.context().now());
    if (io.json()) {
        auto members = document;
        members.erase("type");
        members.erase("version");
        auto& list = members["troubles"] = base::Json::array();
        for (const auto& trouble : troubles)
            list.push_back({{"text", trouble.text}, {"next", trouble.next}});
        return io.write_document("relay-status", members);
    }
    std::string text;
    for (const auto& trouble : troubles) {
        for (const auto& part : relay::folded(trouble.text, 80))
            text += part + "\n";
        if (!trouble.next.empty()) text += fmt::format("    next: {}\n", trouble.next);
    }
    text += troubles.empty() ? "well\n\n" : "\n";
    for (const auto& [member, value] : document.items())
        if (member != "type" && member != "version")
            text += fmt::format("{:16} {}\n", member,
                                value.is_string() ? value.get<std::string>() : base::to_text(value));
    return io.write(text);
}

} // namespace

void add_relay(Program& program, RelayOptions& options, const std::string& name, relay::Kind kind,
               const std::string& serve_help)
{
    const std::string file = kind == relay::Kind::est ? "relay.toml" : "teap.toml";
    program.verb("serve", serve_help)
        .own_config(options.config)
        .without({"ca-file", "timeout"})
        .example(fmt::format("{} serve --config {}", name, file))
        .action([&options, name, kind](Io& io) { return serve(options, name, kind, io); });
    program.verb("check", "check the configuration and every file that it names")
        .own_config(options.config)
        .flag("--online", options.online, "Also query the ACME server and the name servers")
        .flag("--explain", options.explain, "Print every key of the configuration file")
        .without({"ca-file"})
        .example(fmt::format("{} check --config {} --online", name, file))
        .action([&options, kind](Io& io) { return check(options, kind, io); });
    program.verb("store", "create, upgrade or show the database: init, upgrade, status, copy, grants ROLE")
        .own_config(options.config)
        .words("ACTION", options.action, "What to do, with its argument", true)
        .option("--from FILE", options.from, "With copy: the SQLite database of a relay that does not run")
        .without(kNetworkOptions)
        .example(fmt::format("{} store init --config {}", name, file))
        .action([&options, kind](Io& io) { return store_command(options, kind, io); });
    program.verb("status", "say whether the running relay is well, and print its status")
        .own_config(options.config)
        .without({"ca-file", "trace", "show"})
        .example(fmt::format("{} status --config {}", name, file))
        .action([&options, name, kind](Io& io) { return status(options, name, kind, io); });
    add_device_commands(program, options.config, options.device, name, kind);
    add_event_commands(program, options.config, options.events, name, kind);
    add_exclusion_commands(program, options.config, options.exclusion, name, kind);
    add_inventory_commands(program, options.config, options.inventory, name, kind);
}

} // namespace acmetool::cli
