#include "cli/runtime.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/output.h"
#include "base/steering.h"
#include "base/text.h"
#include "base/trace.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/progress.h"
#include "store/atomic_file.h"

namespace acmetool::cli
{
namespace
{

using base::Json;
using base::Level;

constexpr std::size_t kLargestInput = 1U << 20U;

Json document(std::string_view type, const Json& members)
{
    Json object = members;
    object["type"] = type;
    object["version"] = 1;
    return object;
}

/// "type" and "version" first, as every document has it; the rest in alphabetical order.
std::string document_text(const Json& object, bool pretty)
{
    nlohmann::ordered_json ordered;
    ordered["type"] = object.at("type").get<std::string>();
    ordered["version"] = 1;
    for (const auto& [name, value] : object.items())
        if (name != "type" && name != "version")
            ordered[name] = nlohmann::ordered_json::parse(base::to_text(value));
    constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
    return base::escape_steering(ordered.dump(pretty ? 2 : -1, ' ', false, kReplace)) + "\n";
}

std::string_view environment(const char* name)
{
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string_view{} : std::string_view{value};
}

} // namespace

Runtime::Runtime(std::string program, CommonOptions options)
    : program_(std::move(program)), options_(std::move(options)),
      stderr_is_terminal_(isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb"),
      form_{program_, options_.log_format == "json", stderr_is_terminal_ && environment("NO_COLOR").empty(),
            false, false},
      trace_file_(std::make_shared<store::AppendedFile>(options_.trace))
{
}

Result<std::string> Runtime::input()
{
    return read("-");
}

Result<std::string> Runtime::read(const std::string& path)
{
    if (path != "-") {
        auto text = store::read_file(path);
        if (!text && text.error().code != Errc::interrupted) text.error().code = Errc::bad_input;
        return text;
    }
    if (isatty(STDIN_FILENO) == 1) note("reading from the terminal; end with Ctrl-D");
    std::string text;
    char buffer[16384];
    for (;;) {
        // A signal does not end a read(2), which is restarted (signal(7)).
        constexpr int kLookUp = 100;
        pollfd ready{STDIN_FILENO, POLLIN, 0};
        const int count = poll(&ready, 1, kLookUp);
        if (interrupted()) return fail(base::interrupted_error("standard input"));
        if (count <= 0) continue;
        const auto got = ::read(STDIN_FILENO, buffer, sizeof buffer);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return fail(Errc::io, fmt::format("standard input: {}", std::strerror(errno)));
        if (got == 0) break;
        text.append(buffer, static_cast<std::size_t>(got));
        if (text.size() > kLargestInput)
            return fail(Errc::bad_input, "standard input: longer than 1 MiB", {}, "inputTooLong");
    }
    if (base::trim(text).empty())
        return fail(Errc::bad_input, "standard input is empty: the previous command may have failed",
                    "in a pipe, use set -o pipefail", "emptyInput");
    return text;
}

Result<void> Runtime::write_to_stdout(std::string_view text)
{
    clear_progress();
    const int problem = base::write_all(STDOUT_FILENO, text, [this] { return interrupted(); });
    if (problem == 0) return {};
    if (problem == EINTR) return fail(base::interrupted_error("the reader of standard output"));
    return fail(Errc::io, fmt::format("standard output: {}", std::strerror(problem)),
                "the result was not written; -o FILE writes it to a file",
                problem == ENOSPC ? "diskFull" : "stdoutClosed");
}

Result<void> Runtime::check_output() const
{
    if (!options_.output.empty() && options_.output != "-")
        ACMETOOL_CHECK(store::check_output_file(options_.output));
    if (options_.trace.empty()) return {};
    auto done = store::check_output_file(options_.trace);
    if (!done) return fail(with_context(std::move(done).error(), "--trace"));
    return {};
}

Result<void> Runtime::write(std::string_view text)
{
    if (options_.output.empty() || options_.output == "-") return write_to_stdout(text);
    return store::write_output(options_.output, text, 0644, *this);
}

Result<void> Runtime::write_document(std::string_view type, const Json& members)
{
    return write(document_text(document(type, members), true));
}

Result<void> Runtime::write_list(std::string_view type, std::string_view member,
                                 const std::function<Result<void>(const AddEntry&)>& fill)
{
    const auto pieces = [&](const store::Put& put) -> Result<void> {
        constexpr std::size_t kPiece = 65'536;
        auto text = fmt::format("{{\n  \"type\": \"{}\",\n  \"version\": 1,\n  \"{}\": [", type, member);
        bool is_first = true;
        ACMETOOL_CHECK(fill([&](const Json& entry) -> Result<void> {
            text += std::exchange(is_first, false) ? "\n    " : ",\n    ";
            for (const char c : base::escape_steering(base::to_text(entry, 2))) {
                text += c;
                if (c == '\n') text += "    ";
            }
            if (text.size() < kPiece) return {};
            return put(std::exchange(text, {}));
        }));
        text += is_first ? "]\n}\n" : "\n  ]\n}\n";
        return put(text);
    };
    if (options_.output.empty() || options_.output == "-")
        return pieces([this](std::string_view piece) { return write_to_stdout(piece); });
    return store::write_output(options_.output, pieces, 0644, *this);
}

Result<void> Runtime::print_document(std::string_view type, const Json& members)
{
    return write_to_stdout(document_text(document(type, members), true));
}

Result<void> Runtime::write_key(const std::string& path, std::string_view pem)
{
    auto done = store::create_secret(path, pem);
    if (!done && done.error().reason == Cause::file_exists)
        done.error().hint =
            fmt::format("keys are never overwritten: use it with --key {}, or choose another file", path);
    return done;
}

void Runtime::defer(Deferred deferred)
{
    deferred_ = std::move(deferred);
}

void Runtime::begin_serving()
{
    form_.journal = writes_to_journal();
    form_.time = true;
    log_queue_ = std::make_shared<base::OutputQueue>(
        "log", base::can_block(STDERR_FILENO),
        [](const std::string& line) { return base::write_all(STDERR_FILENO, line) == 0; },
        [form = form_](std::uint64_t count) {
            return form.line(
                Level::warning,
                fmt::format("{} lines of this log were dropped: they could not be written", count));
        });
    if (options_.trace.empty()) return;
    trace_queue_ = std::make_unique<base::OutputQueue>(
        "trace", store::is_special(options_.trace),
        [file = trace_file_, log = log_queue_, form = form_,
         is_told = false](const std::string& line) mutable {
            const auto done = file->append(line, nullptr);
            if (!done && !is_told) log->put(form.line(Level::warning, "--trace: " + done.error().message));
            is_told = !done;
            return done.has_value();
        },
        [](std::uint64_t count) {
            base::Message gap;
            gap.from = gap.to = "ra";
            gap.label = fmt::format("{} messages dropped", count);
            return base::to_trace_line(gap, base::Context{}.now());
        });
}

std::vector<base::OutputHealth> Runtime::outputs() const
{
    std::vector<base::OutputHealth> all;
    if (log_queue_) all.push_back(log_queue_->health());
    if (trace_queue_) all.push_back(trace_queue_->health());
    return all;
}

void Runtime::say(std::string_view text)
{
    if (log_queue_) {
        log_queue_->put(std::string{text});
        return;
    }
    // It may have no reader; the program continues, and the exit status reports the failure.
    static_cast<void>(base::write_all(STDERR_FILENO, text, [this] { return interrupted(); }));
}

void Runtime::clear_progress()
{
    if (!progress_shown_) return;
    say("\r\x1b[K");
    progress_shown_ = false;
}

void Runtime::note(std::string_view text)
{
    clear_progress();
    say(fmt::format("{}: {}\n", program_, text));
}

void Runtime::waiting(const base::Wait& wait)
{
    constexpr std::chrono::seconds kRedraw{1};
    const auto now = steady_now();
    if (!stderr_is_terminal_ || log_queue_ || options_.quiet || now - wait.since < kRedraw ||
        now - progress_at_ < kRedraw)
        return;
    say("\r\x1b[K" + progress_line(wait, now, terminal_columns(STDERR_FILENO)));
    progress_shown_ = true;
    progress_at_ = now;
}

std::optional<std::chrono::steady_clock::time_point> Runtime::run_ends() const
{
    if (options_.timeout && !run_ends_) run_ends_ = std::chrono::steady_clock::now() + *options_.timeout;
    return run_ends_;
}

Result<void> Runtime::sleep(base::Milliseconds duration, const base::Wait& wait)
{
    constexpr base::Milliseconds kStep{100};
    const auto end = steady_now() + duration;
    for (;;) {
        if (interrupted()) return fail(base::interrupted_error(wait.what));
        const auto now = steady_now();
        if (now >= end) return {};
        waiting(wait);
        const auto left = std::chrono::ceil<base::Milliseconds>(end - now);
        usleep(static_cast<useconds_t>(std::min(left, kStep).count()) * 1000);
    }
}

base::Level Runtime::log_level() const
{
    return options_.quiet          ? Level::error
           : options_.verbose == 0 ? Level::info
           : options_.verbose == 1 ? Level::detail
                                   : Level::wire;
}

void Runtime::log(Level level, std::string_view text)
{
    if (level > log_level()) return;
    clear_progress();
    say(form_.line(level, text));
}

void Runtime::message(const base::Message& message)
{
    if (options_.show_flow) {
        clear_progress();
        say(ladder_.draw(message));
    }
    if (options_.trace.empty()) return;
    auto line = base::to_trace_line(message, now());
    if (trace_queue_) {
        trace_queue_->put(std::move(line));
    } else if (const auto done = trace_file_->append(line, this); !done) {
        if (!interrupted()) {
            log(Level::error, "--trace: " + done.error().message);
            trace_status_ = exit_code(done.error().code);
        }
        options_.trace.clear(); // said once
    }
}

int Runtime::report(const Error& error)
{
    const int status =
        error.code == Errc::interrupted ? 128 + std::max(caught_signal(), 1) : exit_code(error.code);
    log(Level::error, error.message);
    if (!error.hint.empty() && options_.log_format != "json")
        say(fmt::format("hint: {}\n", safe_lines(error.hint)));
    if (options_.json) {
        const auto members = error_members(error, status, now());
        static_cast<void>(write_to_stdout(document_text(document("error", members), true)));
    } else if (error.retry_after) {
        say(fmt::format("hint: not before {}\n", base::to_rfc3339(now() + *error.retry_after)));
    }
    return status;
}

Result<int> Runtime::finish()
{
    clear_progress();
    // The result was delivered, but whoever asked for a trace did not get all of it.
    if (!deferred_) return status_ == 0 ? trace_status_ : status_;
    log(Level::warning, deferred_->what);
    if (!options_.quiet && options_.log_format != "json")
        say(fmt::format("hint: run the same command again{}\n",
                        deferred_->retry_after ? " at " + base::to_rfc3339(now() + *deferred_->retry_after)
                                               : ""));
    if (options_.json) {
        Json members = Json::object();
        if (deferred_->retry_after) {
            members["retryAfter"] = deferred_->retry_after->count();
            members["retryAt"] = base::to_rfc3339(now() + *deferred_->retry_after);
        }
        if (!deferred_->url.empty()) members["url"] = deferred_->url;
        if (!deferred_->csr_sha256.empty()) members["csrSha256"] = deferred_->csr_sha256;
        ACMETOOL_CHECK(write_to_stdout(document_text(document("deferred", members), true)));
    }
    return kExitDeferred;
}

} // namespace acmetool::cli
