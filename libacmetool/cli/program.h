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

/// Shared by all programs: options, environment, configuration file, standard streams, exit codes.
namespace acmetool::cli
{

/// "Not yet", which is not an error: exit status 75 and a `deferred` document.
struct Deferred {
    std::string what; ///< "order https://ca.example/order/1 is still processing"
    std::optional<std::chrono::seconds> retry_after;
    std::string url;        ///< may be empty
    std::string csr_sha256; ///< lower-case hexadecimal; may be empty
};

/// Adds an entry to a list that is written while it is read.
using AddEntry = std::function<Result<void>(base::Json)>;

/// The environment of an action: the standard streams, the common options and the program's Context.
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
    virtual bool shows_flow() const = 0;                           ///< --show flow
    virtual base::Level log_level() const = 0; ///< the least severe one that -q and -v allow

    /// All of standard input, at most 1 MiB. Empty input is bad_input ("emptyInput"). If it is a terminal, a
    /// message says so.
    virtual Result<std::string> input() = 0;
    /// All of a file, or of standard input for "-".
    virtual Result<std::string> read(const std::string& path) = 0;

    /// Writes the result: to --output atomically, else to standard output. Errc::io if not everything was
    /// written.
    virtual Result<void> write(std::string_view text) = 0;
    /// The same for a document, preceded by "type" and "version": 1.
    virtual Result<void> write_document(std::string_view type, const base::Json& members) = 0;
    /// The same for a document with one list, `member`, of any length: `fill` adds its entries. It is called
    /// again if --output has to be written once more.
    virtual Result<void> write_list(std::string_view type, std::string_view member,
                                    const std::function<Result<void>(const AddEntry&)>& fill) = 0;
    /// Writes a document to standard output, for verbs whose --output is not the result.
    virtual Result<void> print_document(std::string_view type, const base::Json& members) = 0;
    /// Writes a new private key with mode 0600, never over an existing file (cannot_create, with a hint to
    /// use --key).
    virtual Result<void> write_key(const std::string& path, std::string_view pem) = 0;

    /// For daemons, before they start threads: from now on log lines and messages go into queues. Any thread
    /// may write them, and none waits for their readers.
    virtual void begin_serving() = 0;
    /// Writes to standard error unchanged: for lines already in their final form.
    virtual void say(std::string_view text) = 0;
    /// The state of the queues of begin_serving().
    virtual std::vector<base::OutputHealth> outputs() const = 0;

    virtual void defer(Deferred deferred) = 0; ///< the program ends with 75
    virtual void exit_with(int status) = 0;    ///< the program ends with it although nothing failed
};

/// Common options of verbs that send something.
inline const std::vector<std::string> kNetworkOptions{"timeout", "ca-file", "trace", "show"};

using Action = std::function<Result<void>(Io&)>;

/// Common options that an additional file of options may set; see Verb::read_options.
struct FileOptions {
    std::string output;
    std::string ca_file;
};

/// One verb of a program, or the program itself if it has only one job.
class ACMETOOL_EXPORT Verb
{
public:
    virtual ~Verb() = default;

    /// Options, "--name ARGUMENT" or "-n,--name ARGUMENT", where ARGUMENT is what --help calls the value.
    /// Each can also come from the environment (ACMETOOL_NAME) and from the configuration file ([verb] name =
    /// ...). The command line takes precedence over the environment, and the environment over the file.
    /// `value` at this moment is the default; `help` may describe one instead: "Folder; default: none".
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
    /// The title under which --help lists the options that follow; empty: the verb's own.
    virtual Verb& group(const std::string& title) = 0;
    /// The values of the option added last: another is a usage error with this code.
    virtual Verb& choices(std::vector<std::string> values, Reason code = {}) = 0;
    /// The same for completion, where other values are possible too.
    virtual Verb& suggestions(std::vector<std::string> values) = 0;
    /// One command line, which --help shows.
    virtual Verb& example(const std::string& command) = 0;
    /// Common options that would have no effect, and are refused: some of kNetworkOptions.
    virtual Verb& without(const std::vector<std::string>& common) = 0;
    /// A word of --show besides "flow": sets `wanted`.
    virtual Verb& shows(const std::string& word, bool& wanted, const std::string& help) = 0;
    /// --config names a file in the program's own format, which the action reads; it contains no options.
    virtual Verb& own_config(std::string& file) = 0;
    virtual Verb& action(Action action) = 0;
    /// Sets this verb's options from an additional TOML file, for an action that runs once per file. Command
    /// line and environment take precedence over it, and it takes precedence over --config. Keys in
    /// `not_here` apply to the whole run and are refused. Errors: config, with line and column.
    virtual Result<FileOptions> read_options(const std::string& file,
                                             const std::vector<std::string>& not_here) = 0;
    /// What the command line gives to `other` holds for options of the same name in read_options() of this
    /// verb, which the action of `other` calls to look at files that are written for this verb.
    virtual Verb& heeds(const Verb& other) = 0;
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

    /// Parses the command line, runs the verb's action, and reports failures. Returns the exit status.
    int main(int argc, char** argv);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::cli
