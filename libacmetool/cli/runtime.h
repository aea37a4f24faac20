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

/// The options that every verb has.
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
    std::string show; ///< words separated by commas, and what "flow" among them means:
    bool show_flow = false;
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
    base::Level log_level() const override;
    Result<std::string> input() override;
    Result<std::string> read(const std::string& path) override;
    Result<void> write(std::string_view text) override;
    Result<void> write_document(std::string_view type, const base::Json& members) override;
    Result<void> print_document(std::string_view type, const base::Json& members) override;
    Result<void> write_key(const std::string& path, std::string_view pem) override;
    void begin_serving() override;
    void say(std::string_view text) override;
    std::vector<base::OutputHealth> outputs() const override;
    void defer(Deferred deferred) override;
    void exit_with(int status) override { status_ = status; }

    Result<void> sleep(base::Milliseconds duration, const base::Wait& wait) override;
    void waiting(const base::Wait& wait) override;
    bool interrupted() const override { return caught_signal() != 0; }
    void log(base::Level level, std::string_view text) override;
    void message(const base::Message& message) override;

    /// Fails early where --output cannot be written.
    Result<void> check_output() const;
    /// Tells about a failure, on stderr and with --json as a document; returns the exit status.
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
    bool stderr_is_terminal_;
    LogForm form_;
    bool progress_shown_ = false;
    std::chrono::steady_clock::time_point progress_at_{}; ///< when it was drawn last
    int status_ = 0;
    std::optional<Deferred> deferred_;
    std::shared_ptr<store::AppendedFile> trace_file_;
    std::shared_ptr<base::OutputQueue> log_queue_;   ///< null: standard error is written at once
    std::unique_ptr<base::OutputQueue> trace_queue_; ///< goes first, as its thread may write to the log
};

} // namespace acmetool::cli
