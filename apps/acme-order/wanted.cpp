#include "acme-order/wanted.h"

#include <filesystem>

#include <fmt/core.h>

#include "common/acme_options.h"
#include "common/kept.h"
#include "common/names.h"
#include "store/atomic_file.h"

namespace acmetool::cli
{
namespace
{

/// Options that a file in --config-dir must not set.
const std::vector<std::string> kRunWide{
    "config",  "json",       "quiet", "verbose", "log-format",        "trace",        "show",
    "timeout", "config-dir", "check", "jitter",  "detailed-exitcode", "metrics-file", "parallel"};

Result<std::vector<crypto::Identifier>> names_for_key(const RenewOptions& options, const std::string& file)
{
    ACMETOOL_TRY(names, identifiers_of(options.dns, options.ip, {.allow_wildcard = true}));
    std::error_code none;
    if (!names.empty() || !std::filesystem::exists(file, none)) {
        if (names.empty())
            return fail(Errc::usage, fmt::format("no names: {} does not exist yet", file),
                        "name the subject of the first certificate with --dns or --ip", "noNames");
        return std::move(names);
    }
    ACMETOOL_TRY(text, store::read_file(file));
    ACMETOOL_TRY(certificates, crypto::parse_certificates(text, file));
    return certificates.front().identifiers();
}

} // namespace

Result<crypto::Csr> request_of(const RenewOptions& options, const std::string& file, Io& io)
{
    if (!options.key.empty()) {
        if (!options.csr.empty())
            return fail(Errc::usage, "--csr and --key cannot be combined",
                        "either give a request, or have one created with the key", "severalSources");
        ACMETOOL_TRY(names, names_for_key(options, file));
        ACMETOOL_TRY(key, acme::load_private_key(options.key, "certificate key", "choose it with --key", {},
                                                 &io.context()));
        crypto::CsrOptions request;
        request.identifiers = std::move(names);
        return crypto::build_csr(key, request);
    }
    if (!options.dns.empty() || !options.ip.empty())
        return fail(Errc::usage, "--dns and --ip require --key", "the names are already in the given request",
                    "noKey");
    ACMETOOL_TRY(text, io.read(options.csr.empty() ? "-" : options.csr));
    auto csr = crypto::parse_csr(text);
    if (!csr && !options.csr.empty()) return fail(with_context(std::move(csr).error(), options.csr));
    return csr;
}

Result<Wanted> wanted(const RenewOptions& options, const std::string& file, const std::string& ca_file,
                      Io& io)
{
    Wanted result;
    result.client = options.client;
    result.client.ca_file = ca_file;
    if (const auto timeout = io.timeout()) result.client.timeout = *timeout;
    ACMETOOL_TRY(solver, make_solver(options.solver, io));
    result.solver = std::move(solver);
    ACMETOOL_TRY(csr, request_of(options, file, io));
    ACMETOOL_TRY(task, order_task(std::move(csr), options.order, io.context().now()));
    result.is_alone = options.solver.manual || !options.solver.standalone.empty();
    result.wish.file = file;
    result.wish.task = std::move(task);
    result.wish.task.solver = result.solver.get();
    result.wish.before = options.before;
    result.wish.deploy_hook = options.deploy_hook;
    result.wish.hook_timeout = options.solver.hook_timeout;
    ACMETOOL_CHECK(acme::check_hook_env(options.solver.hook_env));
    result.wish.hook_env = options.solver.hook_env;
    return result;
}

Result<void> for_each_file(Verb& verb, RenewOptions& options,
                           const std::function<Result<void>(const ConfiguredFile&)>& work)
{
    ACMETOOL_TRY(files, config_files(options.config_dir));
    const RenewOptions common = options;
    Result<void> done;
    for (const auto& file : files) {
        options = common;
        ConfiguredFile one{file, verb.read_options(file, kRunWide)};
        if (one.given && one.given->output.empty())
            one.given = fail(Errc::config, fmt::format("{}: no \"output\"", file),
                             "set output = \"FILE\" to the certificate to renew", "noOutput");
        else if (one.given && options.key.empty() && options.csr.empty())
            one.given = fail(Errc::config, fmt::format("{}: neither \"csr\" nor \"key\"", file),
                             "set csr = \"FILE\" to a request, or key = \"FILE\" to create one", "noRequest");
        done = work(one);
        if (!done) break;
    }
    options = common;
    return done;
}

} // namespace acmetool::cli
