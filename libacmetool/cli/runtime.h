#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/flow.h"
#include "cli/log_form.h"
#include "cli/program.h"
#include "cli/signals.h"
#include "store/special_file.h"

/// The running program: standard streams and terminal.
namespace acmetool::cli
{

/// The options of every verb.
struct CommonOptions {
    std::string config;
    bool json = false;
    std::string output;
    bool quiet = false;
    unsigned verbose = 0;
    std::string log_format = "text";
    std::optional<base::Milliseconds> timeout;
    std::string ca_file;
    std::string trace;
    std::string show; ///< words separated by commas; if "flow" is among them:
    bool show_flow = false;
    bool help = false;
    bool version = false;
};

class Runtime final : public Io, public base::Context
{
public:
    Runtime(std::string program, CommonOptions options);

    base::Context& context() override { return *this; }
    bool json() const override { return options_.json; }
    std::optional<base::Milliseconds> timeout() const override { return options_.timeout; }
    std::string ca_file() const override { return options_.ca_file; }
    std::string output() const override { return options_.output; }
    bool json_log() const override { return options_.log_format == "json"; }
    bool traces() const override { return !options_.trace.empty() || !options_.show.empty(); }
    bool shows_flow() const override { return options_.show_flow; }
    base::Level log_level() const override;
    Result<std::string> input() override;
    Result<std::string> read(const std::string& path) override;
    Result<void> write(std::string_view text) override;
    Result<void> write_document(std::string_view type, const base::Json& members) override;
    Result<void> write_list(std::string_view type, std::string_view member,
                            const std::function<Result<void>(const AddEntry&)>& fill) override;
    Result<void> print_document(std::string_view type, const base::Json& members) override;
    Result<void> write_key(const std::string& path, std::string_view pem) override;
    void begin_serving() override;
    void say(std::string_view text) override;
    std::vector<base::OutputHealth> outputs() const override;
    void defer(Deferred deferred) override;
    void exit_with(int status) override { status_ = status; }

    std::optional<std::chrono::steady_clock::time_point> run_ends() const override;
    Result<void> sleep(base::Milliseconds duration, const base::Wait& wait) override;
    void waiting(const base::Wait& wait) override;
    bool interrupted() const override { return caught_signal() != 0; }
    void log(base::Level level, std::string_view text) override;
    void message(const base::Message& message) override;

    /// Fails early if --output or --trace cannot be written.
    Result<void> check_output() const;
    /// Reports a failure on stderr and, with --json, as a document; returns the exit status.
    int report(const Error& error);
    /// The exit status of an action that did not fail.
    Result<int> finish();

private:
    Result<void> write_to_stdout(std::string_view text);
    void clear_progress();
    void note(std::string_view text);

    std::string program_;
    CommonOptions options_;
    Ladder ladder_;
    /// Of --timeout, which begins with the first wait that it limits: --jitter does not count.
    mutable std::optional<std::chrono::steady_clock::time_point> run_ends_;
    bool stderr_is_terminal_; ///< that understands escape sequences
    LogForm form_;
    bool progress_shown_ = false;
    std::chrono::steady_clock::time_point progress_at_{}; ///< when it was last drawn
    int status_ = 0;
    int trace_status_ = 0; ///< of the failure to write --trace
    std::optional<Deferred> deferred_;
    std::shared_ptr<store::AppendedFile> trace_file_;
    std::shared_ptr<base::OutputQueue> log_queue_;   ///< null: standard error is written directly
    std::unique_ptr<base::OutputQueue> trace_queue_; ///< destroyed first: its thread may write to the log
};

} // namespace acmetool::cli
