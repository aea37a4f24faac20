// acme-trace: draws a file written by --trace as the draft's ladder, in text or SVG.
#include <nlohmann/json.hpp>

#include <fmt/core.h>

#include "base/text.h"
#include "base/trace.h"
#include "cli/chart.h"
#include "cli/program.h"

using namespace acmetool;

namespace
{

struct Options {
    std::vector<std::string> files;
    std::string since;
    std::string until;
    std::string request_id;
};

/// A time, or a duration before now.
Result<std::optional<base::TimePoint>> time_of(const std::string& text, const char* option, cli::Io& io)
{
    if (text.empty()) return std::nullopt;
    if (const auto ago = base::parse_duration(text))
        return io.context().now() - std::chrono::duration_cast<std::chrono::seconds>(*ago);
    auto time = base::parse_rfc3339(text);
    if (time) return *time;
    time.error().code = Errc::usage;
    time.error().hint = "give a time such as 2026-11-23T18:58:45Z, or a duration before now such as 36h";
    return fail(with_context(std::move(time).error(), option));
}

Result<base::Trace> read_trace(const Options& options, cli::Io& io)
{
    if (options.files.size() > 1)
        return fail(Errc::usage, "more than one trace file", "give one file, or join them with cat(1)");
    ACMETOOL_TRY(since, time_of(options.since, "--since", io));
    ACMETOOL_TRY(until, time_of(options.until, "--until", io));
    auto text = io.read(options.files.empty() ? "-" : options.files.front());
    if (!text) {
        if (text.error().hint.empty())
            text.error().hint = "for a file that is too long, extract its end with tail(1)";
        return fail(std::move(text).error());
    }
    auto trace = base::parse_trace(*text);
    if (trace.cut) io.context().log(base::Level::warning, "the last line is incomplete and was ignored");
    if (!trace.skipped.empty())
        io.context().log(base::Level::warning,
                         fmt::format("{} lines are not messages and were ignored, the first is line {}",
                                     trace.skipped.size(), trace.skipped.front()));
    if (trace.entries.empty())
        return fail(Errc::bad_input, "not a trace file: it contains no message",
                    "trace files are written with --trace FILE", "noTrace");
    if (!options.request_id.empty()) trace = cli::requests_of_device(std::move(trace), options.request_id);
    std::erase_if(trace.entries, [&](const base::TraceEntry& entry) {
        return (since && entry.time < *since) || (until && entry.time > *until);
    });
    if (trace.entries.empty())
        return fail(Errc::bad_input, "no message matches",
                    "omit --since, --until and --request-id to see all messages", "noMessages");
    return trace;
}

using Draw = std::string (*)(const cli::Chart&);

Result<void> draw(const Options& options, Draw how, cli::Io& io)
{
    ACMETOOL_TRY(trace, read_trace(options, io));
    const auto chart = cli::chart_of(trace);
    if (!io.json()) return io.write(how(chart));
    return io.write_document("ladder", {{"participants", chart.parties},
                                        {"messages", cli::to_json(chart)},
                                        {"failures", chart.failures},
                                        {"skipped", trace.skipped.size() + (trace.cut ? 1 : 0)},
                                        {"drawing", how(chart)}});
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"acme-trace", "draw a trace file as a ladder of messages"};
    Options options;
    const auto add = [&](const char* name, const char* help, Draw how) {
        program.verb(name, help)
            .option("--since TIME", options.since,
                    "Omit messages before this time, or before this duration ago")
            .option("--until TIME", options.until,
                    "Omit messages after this time, or after this duration ago")
            .option("--request-id ID", options.request_id,
                    "Only messages of the device that made this request, in a relay's trace")
            .words("FILE", options.files, "Trace file; default: standard input", false)
            .without(cli::kNetworkOptions)
            .example(fmt::format("acme-trace {} --since 1h order.jsonl", name))
            .action([&options, how](cli::Io& io) { return draw(options, how, io); });
    };
    add("show", "draw the ladder as text", cli::draw_text);
    add("svg", "draw the ladder as an SVG image", cli::draw_svg);
    return program.main(argc, argv);
}
