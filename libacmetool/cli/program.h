#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/json.h"
#include "base/output_queue.h"
#include "base/result.h"
#include "base/time.h"

/// What all programs share: options, environment, configuration file, standard streams, exit codes.
namespace acmetool::cli
{

/// "Not yet", which is no error: exit status 75 and a `deferred` document.
struct Deferred {
    std::string what; ///< "order https://ca.example/order/1 is still processing"
    std::optional<std::chrono::seconds> retry_after;
    std::string url;        ///< may be empty
    std::string csr_sha256; ///< lower-case hexadecimal; may be empty
};

/// What an action is given: the standard streams, the common options and the running program's Context.
class ACMETOOL_EXPORT Io
{
public:
    virtual ~Io() = default;

    virtual base::Context& context() = 0;
    virtual bool json() const = 0;                                 ///< --json
    virtual std::optional<base::Milliseconds> timeout() const = 0; ///< --timeout
    virtual std::string ca_file() const = 0;                       ///< --ca-file; may be empty
    virtual std::string output() const = 0;                        ///< --output; may be empty
    virtual bool json_log() const = 0;                             ///< --log-format json
    virtual bool traces() const = 0;                               ///< --trace or --show flow
    virtual base::Level log_level() const = 0; ///< the last one that -q and -v let through

    /// All of standard input, 1 MiB at most. Empty input is bad_input ("emptyInput"); a terminal is
    /// announced.
    virtual Result<std::string> input() = 0;
    /// All of a file, or of standard input for "-".
    virtual Result<std::string> read(const std::string& path) = 0;

    /// The one result: to --output atomically, else to standard output. Errc::io if not everything was
    /// written.
    virtual Result<void> write(std::string_view text) = 0;
    /// The same for a document; "type" and "version": 1 are put in front.
    virtual Result<void> write_document(std::string_view type, const base::Json& members) = 0;
    /// A document to standard output, where --output names something else than the result.
    virtual Result<void> print_document(std::string_view type, const base::Json& members) = 0;
    /// A new private key: mode 0600, never over an existing file (cannot_create, hint to use --key).
    virtual Result<void> write_key(const std::string& path, std::string_view pem) = 0;

    /// For daemons, before any thread of theirs has something to say: from now on log lines and messages only
    /// go into queues, and any thread may write them; nobody waits for whoever reads them.
    virtual void begin_serving() = 0;
    /// Standard error as it is: for lines that have their form already.
    virtual void say(std::string_view text) = 0;
    /// How the queues of begin_serving() do.
    virtual std::vector<base::OutputHealth> outputs() const = 0;

    virtual void defer(Deferred deferred) = 0; ///< the program ends with 75
    virtual void exit_with(int status) = 0;    ///< the program ends with it although nothing failed
};

using Action = std::function<Result<void>(Io&)>;

/// Common options that a further file of options may have; see Verb::read_options.
struct FileOptions {
    std::string output;
    std::string ca_file;
};

/// One verb of a program, or the program itself where only one job exists.
class ACMETOOL_EXPORT Verb
{
public:
    virtual ~Verb() = default;

    /// Options, "--name" or "-n,--name". Each can also come from the environment (ACMETOOL_NAME) and from the
    /// configuration file ([verb] name = ...); the flag wins, then the environment, then the file.
    virtual Verb& option(const std::string& name, std::string& value, const std::string& help) = 0;
    virtual Verb& option(const std::string& name, std::optional<std::string>& value,
                         const std::string& help) = 0;
    virtual Verb& option(const std::string& name, std::vector<std::string>& values,
                         const std::string& help) = 0;
    virtual Verb& option(const std::string& name, base::Milliseconds& value, const std::string& help) = 0;
    virtual Verb& option(const std::string& name, base::Margin& value, const std::string& help) = 0;
    virtual Verb& option(const std::string& name, std::optional<base::Margin>& value,
                         const std::string& help) = 0;
    virtual Verb& option(const std::string& name, unsigned& value, const std::string& help) = 0;
    virtual Verb& flag(const std::string& name, bool& value, const std::string& help) = 0;
    /// Words after the options; `required`: at least one.
    virtual Verb& words(const std::string& name, std::vector<std::string>& values, const std::string& help,
                        bool required) = 0;
    /// A word of --show besides "flow": sets `wanted`.
    virtual Verb& shows(const std::string& word, bool& wanted, const std::string& help) = 0;
    /// --config names a file of the program's own form, which the action reads; options are not taken from
    /// it.
    virtual Verb& own_config(std::string& file) = 0;
    virtual Verb& action(Action action) = 0;
    /// Sets this verb's options anew as a further TOML file says, for an action that does one thing for each
    /// of several files. Flags and environment go before it, it goes before --config. Keys in `not_here` are
    /// for the whole run and refused. Errors: config, with line and column.
    virtual Result<FileOptions> read_options(const std::string& file,
                                             const std::vector<std::string>& not_here) = 0;
};

class ACMETOOL_EXPORT Program
{
public:
    Program(std::string name, const std::string& description);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    Verb& verb(const std::string& name, const std::string& help);
    /// For a program with one job: its options and action without a verb.
    Verb& only_job();

    /// Parses, runs the verb's action, reports. Returns the exit status.
    int main(int argc, char** argv);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::cli
