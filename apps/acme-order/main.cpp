// acme-order: PKCS#10 on standard input, certificate chain on standard output (RFC 8555 section 7.4, RFC
// 9444).
#include <nlohmann/json.hpp>

#include "acme-order/check.h"
#include "acme-order/kept.h"
#include "acme-order/options.h"
#include "acme-order/renewal.h"
#include "acme/order_task.h"
#include "acme/renewal_info.h"
#include "acme/revocation.h"
#include "cli/program.h"
#include "common/acme_options.h"

using namespace acmetool;
using Goal = acme::OrderFlow::Goal;

namespace
{

struct Options {
    acme::ClientOptions client;
    acme::SolverOptions solver;
    cli::OrderOptions order;
    cli::RenewOptions renewal;
    // revoke
    std::string cert_key;
    std::string directory; ///< also of renewal-info
    std::string reason;
    // list and status
    cli::Verb* renew = nullptr; ///< which reads the files of --config-dir
    std::vector<std::string> certificates;
    bool all = false;
};

Result<acme::OrderTask> task_from_csr(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(text, io.input());
    ACMETOOL_TRY(csr, crypto::parse_csr(text));
    return cli::order_task(std::move(csr), options.order, io.context().now());
}

Result<void> write_certificate(acme::Client& client, const acme::OrderOutcome& outcome, cli::Io& io)
{
    if (io.json()) {
        auto document = acme::certificate_document(outcome.chain);
        if (!outcome.path.empty()) document["path"] = outcome.path;
        ACMETOOL_CHECK(io.write_document("certificate", document));
    } else {
        ACMETOOL_CHECK(io.write(crypto::to_pem(outcome.chain)));
    }
    acme::delivered(client, outcome);
    return {};
}

/// Opens the account, advances the order to `goal`, and prints the result.
Result<void> advance(const Options& options, cli::Io& io, Goal goal, bool from_csr)
{
    ACMETOOL_TRY(solver, cli::make_solver(options.solver, io));
    acme::OrderTask task;
    if (from_csr) {
        ACMETOOL_TRY(made, task_from_csr(options, io));
        task = std::move(made);
    }
    std::string document;
    if (!from_csr) {
        ACMETOOL_TRY(text, io.input());
        document = std::move(text);
    }
    ACMETOOL_TRY(client, cli::open_client(options.client, io));
    if (!from_csr) {
        ACMETOOL_TRY(made, acme::parse_order_document(document, client->directory()));
        task = std::move(made);
    }
    task.chain = acme::parse_chain_choice(options.order.chain);
    task.solver = solver.get();
    task.goal = goal;
    ACMETOOL_TRY(outcome, acme::carry_out(*client, std::move(task)));
    if (outcome.not_yet) {
        io.defer({.what = "order " + outcome.order.url + " is still " + outcome.order.status,
                  .retry_after = outcome.retry_after,
                  .url = outcome.order.url,
                  .csr_sha256 = {}});
        return {};
    }
    if (!outcome.chain.empty()) return write_certificate(*client, outcome, io);
    return io.write_document("order", acme::order_document(outcome.order, outcome.csr, outcome.path));
}

/// Fetches the order and prints it, whatever its status.
Result<void> status(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(text, io.input());
    ACMETOOL_TRY(client, cli::open_client(options.client, io));
    ACMETOOL_TRY(task, acme::parse_order_document(text, client->directory()));
    ACMETOOL_TRY(reply, client->post(acme::Post{acme::Step::order, task.identifiers.front().value,
                                                task.order->url, ""}));
    ACMETOOL_TRY(order, acme::parse_order(reply.body, task.order->url));
    return io.write_document("order", acme::order_document(order, task.csr, {}));
}

Result<cli::KeptList> look(Options& options, cli::Io& io)
{
    options.renewal.client = options.client;
    return cli::look_at_kept(*options.renew, options.renewal, io);
}

Result<void> list(Options& options, cli::Io& io)
{
    ACMETOOL_TRY(kept, look(options, io));
    return cli::show_list(kept, io);
}

Result<void> kept_status(Options& options, cli::Io& io)
{
    ACMETOOL_TRY(kept, look(options, io));
    ACMETOOL_TRY(entries, cli::selected(std::move(kept.entries), options.certificates));
    return cli::show_status({std::move(kept.accounts), std::move(entries)}, io);
}

/// A client without an account key. The directory comes from --directory or from the account file.
Result<std::unique_ptr<acme::Client>> client_without_account(const Options& options, crypto::Key key,
                                                             cli::Io& io)
{
    std::string directory = options.directory;
    if (!directory.empty()) ACMETOOL_CHECK(cli::check_directory(directory));
    std::string ca_file = io.ca_file();
    if (directory.empty()) {
        const auto& file = options.client.account_file;
        auto account = acme::load_account(file);
        if (!account && account.error().reason == Cause::no_account)
            account.error().hint = "without an account file, give the CA's directory with --directory";
        if (!account) return fail(std::move(account).error());
        directory = account->directory;
        if (ca_file.empty() && !account->ca_file.empty()) ca_file = acme::beside(file, account->ca_file);
    }
    return acme::Client::connect(directory, ca_file, std::move(key),
                                 io.timeout().value_or(options.client.timeout), io.context());
}

/// A client that signs with the certificate's key and needs no account.
Result<std::unique_ptr<acme::Client>> client_of_certificate(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(key, acme::load_private_key(options.cert_key, "certificate key", "choose it with --cert-key",
                                             {}, &io.context()));
    return client_without_account(options, key, io);
}

Result<void> revoke(const Options& options, cli::Io& io)
{
    const auto signer =
        options.cert_key.empty() ? acme::RevocationSigner::account : acme::RevocationSigner::certificate;
    if (!options.directory.empty() && signer == acme::RevocationSigner::account)
        return fail(Errc::usage, "--directory requires --cert-key",
                    "the account determines the CA; --directory is for signing with the certificate's key",
                    "noCertKey");
    std::optional<int> reason;
    if (!options.reason.empty()) {
        ACMETOOL_TRY(number, acme::parse_revocation_reason(options.reason));
        reason = number;
    }
    ACMETOOL_TRY(text, io.input());
    ACMETOOL_TRY(certificates, crypto::parse_certificates(text, "standard input"));
    ACMETOOL_TRY(client, signer == acme::RevocationSigner::account ? cli::open_client(options.client, io)
                                                                   : client_of_certificate(options, io));
    ACMETOOL_CHECK(acme::revoke(*client, certificates.front(), signer, reason));
    if (!io.json()) return {};
    return io.write_document("revocation", acme::revocation_document(certificates.front(), signer, reason));
}

/// Prints when the CA suggests renewal.
Result<void> renewal_info(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(text, io.input());
    ACMETOOL_TRY(certificates, crypto::parse_certificates(text, "standard input"));
    ACMETOOL_TRY(client, client_without_account(options, {}, io)); // nothing is signed, so no key is loaded
    ACMETOOL_TRY(answer, acme::fetch_renewal_info(*client, certificates.front()));
    return io.write_document("renewal-info",
                             acme::renewal_info_document(certificates.front(), answer, io.context().now()));
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"acme-order", "order certificates step by step"};
    Options options;
    auto& placing = program.verb("new", "read a CSR, create an order, write the order document");
    cli::add_account(placing, options.client);
    cli::add_order(placing, options.order);
    placing.example("acme-order new --account acct.json -o o1.json < sub.csr");
    placing.action([&](cli::Io& io) { return advance(options, io, Goal::placed, true); });

    auto& authorize = program.verb("authorize", "read an order document, complete its authorizations");
    cli::add_account(authorize, options.client);
    cli::add_solver(authorize, options.solver);
    authorize.example("acme-order authorize --account acct.json --dns-update ns1.domain.com \\\n"
                      "    --tsig-key tsig.key -o o2.json < o1.json");
    authorize.action([&](cli::Io& io) { return advance(options, io, Goal::authorized, false); });

    auto& finalize = program.verb("finalize", "read an order document, submit its CSR, wait for issuance");
    cli::add_account(finalize, options.client);
    finalize.example("acme-order finalize --account acct.json -o o3.json < o2.json");
    finalize.action([&](cli::Io& io) { return advance(options, io, Goal::finalized, false); });

    auto& download = program.verb("download", "read an order document, write the certificate chain");
    cli::add_account(download, options.client);
    cli::add_chain(download, options.order);
    download.example("acme-order download --account acct.json -o sub.pem < o3.json");
    download.action([&](cli::Io& io) { return advance(options, io, Goal::downloaded, false); });

    auto& run = program.verb("run", "read a CSR, do all steps, write the certificate chain");
    cli::add_account(run, options.client);
    cli::add_order(run, options.order);
    cli::add_chain(run, options.order);
    cli::add_solver(run, options.solver);
    run.example("acme-order run --account acct.json -o sub.pem < sub.csr");
    run.action([&](cli::Io& io) { return advance(options, io, Goal::downloaded, true); });

    auto& reading = program.verb("status", "say what is wrong with kept certificates and what happens next; "
                                           "without any, read an order document and write its state");
    cli::add_account(reading, options.client);
    cli::add_kept_options(reading, options.renewal);
    reading.words("CERTIFICATE", options.certificates, "File of a kept certificate", false)
        .flag("--all", options.all, "All kept certificates and orders")
        .example("acme-order status --all --config-dir /etc/acme-integrations/renew.d");
    reading.action([&](cli::Io& io) {
        return options.all || !options.certificates.empty() ? kept_status(options, io) : status(options, io);
    });

    auto& revoking = program.verb("revoke", "read a certificate and have the CA revoke it");
    cli::add_account(revoking, options.client);
    revoking
        .option("--cert-key KEY", options.cert_key,
                "Sign with the certificate's key instead of the account's")
        .option("--directory URL", options.directory,
                "With --cert-key: ACME directory of the CA, if there is no account file")
        .option("--reason REASON", options.reason,
                "Reason code of RFC 5280 by name or number, such as keyCompromise or 1")
        .suggestions(acme::revocation_reasons())
        .example("acme-order revoke --account acct.json --reason superseded < sub.pem")
        .action([&](cli::Io& io) { return revoke(options, io); });

    auto& asking =
        program.verb("renewal-info", "read a certificate, write the renewal window that the CA suggests");
    cli::add_account(asking, options.client);
    asking
        .option("--directory URL", options.directory, "ACME directory of the CA, if there is no account file")
        .example("acme-order renewal-info --account acct.json < sub.pem")
        .action([&](cli::Io& io) { return renewal_info(options, io); });

    auto& renewing = cli::add_renew(program, options.renewal);
    auto& listing = program.verb("list", "list kept certificates and orders, and their next renewals");
    cli::add_account(listing, options.client);
    cli::add_kept_options(listing, options.renewal);
    listing.without(cli::kNetworkOptions)
        .example("acme-order list --config-dir /etc/acme-integrations/renew.d")
        .action([&](cli::Io& io) { return list(options, io); });
    cli::add_check(program);
    renewing.heeds(reading).heeds(listing);
    options.renew = &renewing;
    return program.main(argc, argv);
}
