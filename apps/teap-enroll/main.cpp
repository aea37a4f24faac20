// teap-enroll: TEAP peer over RADIUS that enrols, and shows what happens (RFC 7170, RFC 3579).
#include <iostream>
#include <limits>

#include <nlohmann/json.hpp>

#include "acme/order_task.h"
#include "cli/program.h"
#include "common/est_session.h"
#include "crypto/path.h"
#include "dns/name.h"
#include "store/atomic_file.h"
#include "store/secret_file.h"
#include "teap-enroll/conversation.h"
#include "teap-enroll/load.h"
#include "teap/explain.h"

using namespace acmetool;
using cli::TeapOptions;

namespace
{

/// Draws and traces one message; with --pause, waits for Enter before the next.
void show(const teap::Shown& shown, const TeapOptions& options, const teap::BrskiNumbers& numbers,
          cli::Io& io)
{
    auto& context = io.context();
    if (!io.shows_flow())
        context.log(options.show_tlvs ? base::Level::info : base::Level::detail,
                    (shown.by_peer ? "> " : "< ") + shown.text);
    base::Message message;
    message.from = shown.by_peer ? "client" : "teap";
    message.to = shown.by_peer ? "teap" : "client";
    message.label = shown.text;
    context.message(message);
    if (options.show_tlvs)
        for (const auto& line : teap::explain(shown.tlvs, numbers))
            context.log(base::Level::info, "    " + line);
    if (options.pause && shown.by_peer) std::cin.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
}

Result<void> save(const std::string& file, std::string_view text, base::Context& context)
{
    if (file.empty() || text.empty()) return {};
    return store::write_output(file, text, 0644, context);
}

/// Our certificate, and the issuers of it that are known.
std::vector<crypto::Certificate> chain_of(const teap::PeerResult& result,
                                          std::vector<crypto::Certificate> known)
{
    known.insert(known.end(), result.certificates.begin(), result.certificates.end());
    known.insert(known.end(), result.roots.begin(), result.roots.end());
    return crypto::issuer_chain(*result.certificate, known, crypto::ChainEnd::below_root);
}

Result<void> enroll(TeapOptions& options, cli::Io& io)
{
    ACMETOOL_CHECK(cli::check(options));
    if (options.count > 1 && io.traces())
        return fail(Errc::usage, "--trace and --show cannot be combined with --count",
                    "many conversations leave only statistics");
    ACMETOOL_TRY(names, dns::normalize_names(options.dns));
    options.dns = std::move(names);
    // RFC 9930 section 3.11: keep the old credential until the new one is known to work.
    if (!options.cert.empty() && io.output() == options.cert)
        return fail(
            Errc::usage, "--output would overwrite the certificate of --cert",
            "choose another file, and replace the old certificate once the server accepts the new one");
    store::warn_if_exposed(options.secret_file, "--secret-file", io.context());
    store::warn_if_exposed(options.key, "--key", io.context());
    store::warn_if_exposed(options.idevid_key, "--idevid-key", io.context());
    if (options.count > 1) return cli::teap_load(options, io);
    ACMETOOL_TRY(anchors, cli::read_anchors(io.ca_file()));
    ACMETOOL_TRY(tls, cli::read_device(options, anchors));
    std::string keylog;
    if (!options.keylog.empty())
        tls.keylog = [&keylog](std::string_view line) { keylog += std::string{line} + "\n"; };
    ACMETOOL_TRY(secret, cli::read_secret(options.secret_file, "--secret-file"));
    ACMETOOL_TRY(numbers, cli::numbers_of(options));
    ACMETOOL_TRY(request, cli::TeapRequest::prepare(options, tls.chain, io));
    auto& context = io.context();
    const auto held = cli::hold({options,
                                 secret,
                                 tls,
                                 {{}, io.ca_file(), io.ca_file().empty()},
                                 request,
                                 [&](const teap::Shown& shown) { show(shown, options, numbers, io); }},
                                context);
    if (!options.keylog.empty()) ACMETOOL_CHECK(store::write_output(options.keylog, keylog, 0600, context));
    if (!held) return fail(held.error());
    const auto& result = *held;
    if (auto later = cli::not_yet(result, numbers)) {
        later->csr_sha256 = request.sent_sha256();
        io.defer(std::move(*later));
        return {};
    }
    if (auto error = cli::complaint(result, options, numbers)) return fail(std::move(*error));
    ACMETOOL_CHECK(save(options.save_voucher, as_text(result.voucher), context));
    ACMETOOL_CHECK(save(options.save_root, crypto::to_pem(result.roots), context));
    if (!result.nai.empty()) context.log(base::Level::info, "new identity: " + result.nai);
    if (!result.certificate)
        return io.json() ? io.write_document("access", {{"accepted", true}, {"tls", result.tls}})
                         : Result<void>{};
    const auto chain = chain_of(result, anchors);
    ACMETOOL_CHECK(io.json() ? io.write_document("certificate", acme::certificate_document(chain))
                             : io.write(crypto::to_pem(chain)));
    request.finish();
    return {};
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"teap-enroll", "enrol as a TEAP peer over RADIUS and show the conversation"};
    TeapOptions options;
    auto& job = program.only_job();
    cli::add_teap(job, options);
    job.action([&](cli::Io& io) { return enroll(options, io); });
    return program.main(argc, argv);
}
