#include "est/run.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/csr_remake.h"
#include "crypto/digest.h"
#include "crypto/key_type.h"
#include "est/journal.h"

namespace acmetool::est
{
namespace
{

/// Digest of everything that determines the CSR's content, so that the old CSR is not reused for changed
/// requirements.
std::string digest_of_wishes(const Bytes& csrattrs, const RunOptions& options, bool bind)
{
    std::string text = fmt::format("{};{};{};{};", to_hex(csrattrs), bind, options.filling.common_name,
                                   options.filling.serial_number);
    for (const auto& identifier : options.filling.identifiers)
        text += fmt::format("{}:{};", identifier.type, identifier.value);
    if (options.renewed) text += to_hex(options.renewed->sha256());
    return to_hex(crypto::sha256(as_bytes(text)));
}

std::string type_of_new_key(const CsrAttrs& asked, const std::string& wanted)
{
    return wanted == "auto" ? crypto::new_key_type(asked.key_type) : wanted;
}

/// The CSR's key: the given one, that of the previous run, or a new one.
Result<crypto::Key> key_for(const CsrAttrs& asked, const RunOptions& options, Journal& journal)
{
    const auto& wish = options.key;
    if (wish.existing) {
        ACMETOOL_CHECK(check_key(asked, *wish.existing));
        return *wish.existing;
    }
    auto before = key_of_before(journal, wish.file);
    if (!before) {
        if (before.error().reason == Cause::file_exists)
            before.error().hint = fmt::format(
                "keys are never overwritten: use it with --csr-key {}, or choose another file", wish.file);
        return fail(std::move(before).error());
    }
    if (*before) {
        ACMETOOL_CHECK(check_key(asked, **before));
        return **before;
    }
    ACMETOOL_TRY(key, crypto::generate_key(type_of_new_key(asked, wish.new_type)));
    ACMETOOL_CHECK(check_key(asked, key));
    ACMETOOL_CHECK(keep_key(options.journal_file, journal, wish.file, key));
    return key;
}

Result<crypto::CsrOptions> filled(const CsrAttrs& asked, const Filling& filling)
{
    ACMETOOL_TRY(csr, fill_csr(asked, filling));
    if (csr.unfilled.empty()) return std::move(csr.options);
    std::vector<std::string> names;
    std::vector<std::string> remedies;
    for (const auto& open : csr.unfilled) {
        names.push_back(open.name);
        if (!open.option.empty()) remedies.push_back(open.option);
    }
    return fail(Errc::bad_input,
                fmt::format("the server's CSR attributes request something unsupported: {}",
                            base::printable(base::join(names, ", "))),
                remedies.empty() ? "build the request with another program and submit it with simpleenroll"
                                 : "give " + base::join(remedies, ", "),
                "csrattrsUnfilled");
}

/// Creates the CSR, for each connection again if it is bound.
class CsrMaker
{
public:
    static Result<CsrMaker> make(const CsrAttrs& asked, const RunOptions& options, crypto::Key key)
    {
        CsrMaker maker{std::move(key), options.renewed, {}};
        if (options.renewed) return maker;
        ACMETOOL_TRY(csr_options, filled(asked, options.filling));
        maker.options_ = std::move(csr_options);
        return maker;
    }

    Result<crypto::Csr> operator()(const std::optional<std::string>& binding) const
    {
        if (renewed_) return crypto::csr_like(*renewed_, key_, binding);
        auto options = options_;
        options.challenge_password = binding;
        return crypto::build_csr(key_, options);
    }

private:
    CsrMaker(crypto::Key key, std::optional<crypto::Certificate> renewed, crypto::CsrOptions options)
        : key_(std::move(key)), renewed_(std::move(renewed)), options_(std::move(options))
    {
    }
    crypto::Key key_;
    std::optional<crypto::Certificate> renewed_;
    crypto::CsrOptions options_;
};

/// Gets the CA certificates and hands them to the caller.
Result<CaCertificates> take_cas(Client& client, const RunOptions& options, base::Context& context)
{
    ACMETOOL_TRY(received, client.cacerts());
    ACMETOOL_TRY(cas, sort_out(received, options.explicit_anchors, options.clock));
    for (const auto& rejected : cas.rejected)
        context.log(base::Level::warning,
                    fmt::format("cacerts: {} is ignored: no path from a trust anchor leads to it",
                                base::printable(rejected.subject(), 200)));
    if (options.take_cas) ACMETOOL_CHECK(options.take_cas(cas));
    return std::move(cas);
}

/// Requests the CA certificates again if the issuer of ours is missing: an RA in front of a CA learns of an
/// intermediate only from the first certificate that it issued.
Result<void> complete_cas(Client& client, const RunOptions& options, const crypto::Certificate& issued,
                          CaCertificates& cas, base::Context& context)
{
    const auto has_issuer = [&] {
        return std::any_of(cas.trusted.begin(), cas.trusted.end(),
                           [&](const auto& ca) { return issued.is_issued_by(ca); });
    };
    if (has_issuer()) return {};
    auto again = client.cacerts().and_then([&](const std::vector<crypto::Certificate>& received) {
        return sort_out(received, options.explicit_anchors, options.clock);
    });
    if (!again) {
        context.log(base::Level::warning, "cacerts, requested again: " + again.error().message);
        return {};
    }
    cas = std::move(*again);
    if (!has_issuer())
        context.log(base::Level::warning,
                    fmt::format("none of the server's CA certificates issued this one; its issuer is {}",
                                base::printable(issued.issuer(), 200)));
    return options.take_cas ? options.take_cas(cas) : Result<void>{};
}

/// Digest of the options alone: what is known before the server's CSR attributes are.
std::string digest_of_options(const RunOptions& options)
{
    return digest_of_wishes({}, options, options.bind);
}

/// True if the journal is of a run with these options at this URL, which has its certificate. One that
/// expired is of no use to anybody.
bool is_answered(const Journal& journal, const RunOptions& options, const std::string& url,
                 const std::vector<crypto::Certificate>& certificates, base::TimePoint now)
{
    if (certificates.empty() || journal.url != url || journal.wanted != digest_of_options(options))
        return false;
    const auto& own = certificates.front();
    if (options.clock && own.not_after() <= now) return false;
    if (options.key.existing) return own.public_key().same_public_key(*options.key.existing);
    const auto key = key_of_before(journal, options.key.file);
    return key && *key && own.public_key().same_public_key(**key);
}

/// The certificates in this member of the journal, if they answer this run; else empty.
std::vector<crypto::Certificate> answered(const Journal& journal, const std::string& member,
                                          const RunOptions& options, const std::string& url,
                                          base::TimePoint now)
{
    if (member.empty()) return {};
    auto certificates = crypto::parse_certificates(member, options.journal_file);
    if (!certificates || !is_answered(journal, options, url, *certificates, now)) return {};
    return std::move(*certificates);
}

/// The complete chain in the journal, if it answers this run.
std::vector<crypto::Certificate> undelivered_in(const Journal& journal, const RunOptions& options,
                                                const std::string& url, base::Context& context)
{
    auto chain = answered(journal, journal.certificate, options, url, context.now());
    if (!chain.empty())
        context.log(base::Level::info, fmt::format("an earlier run received the certificate: it is in {}",
                                                   options.journal_file));
    return chain;
}

Result<std::string> enrolment_url(const RunOptions& options, const ServerUrl& server)
{
    ACMETOOL_TRY(url, url_of(server, options.renewed ? Operation::simplereenroll : Operation::simpleenroll));
    return url.text();
}

/// Adds what the CA certificates have of the chain, and records it.
Result<RunOutcome> completed(Client& client, const RunOptions& options, CaCertificates& cas,
                             Enrolment enrolment, Journal& journal, base::Context& context)
{
    RunOutcome outcome{std::move(enrolment), {}};
    const auto& certificates = outcome.enrolment.certificates;
    ACMETOOL_CHECK(complete_cas(client, options, certificates.front(), cas, context));
    outcome.chain = chain_of(certificates, cas.trusted);
    journal.certificate = crypto::to_pem(outcome.chain);
    ACMETOOL_CHECK(write_journal(options.journal_file, journal));
    return outcome;
}

} // namespace

std::string csr_sha256(const crypto::Csr& csr)
{
    return to_hex(crypto::sha256(csr.der));
}

Result<std::vector<crypto::Certificate>> undelivered(const RunOptions& options, const ServerUrl& server,
                                                     base::Context& context)
{
    ACMETOOL_TRY(found, read_journal(options.journal_file));
    if (!found) return std::vector<crypto::Certificate>{};
    ACMETOOL_TRY(url, enrolment_url(options, server));
    return undelivered_in(*found, options, url, context);
}

Result<RunOutcome> run(Client& client, const RunOptions& options, const ServerUrl& server,
                       base::Context& context)
{
    ACMETOOL_TRY(found, read_journal(options.journal_file));
    Journal journal = std::move(found).value_or(Journal{});
    ACMETOOL_TRY(url, enrolment_url(options, server));
    auto left = undelivered_in(journal, options, url, context);
    Enrolment earlier;
    earlier.certificates = left;
    if (!left.empty()) return RunOutcome{std::move(earlier), std::move(left)};
    earlier.certificates = answered(journal, journal.received, options, url, context.now());
    journal.url = url;

    ACMETOOL_TRY(cas, take_cas(client, options, context));
    if (!earlier.certificates.empty())
        return completed(client, options, cas, std::move(earlier), journal, context);
    ACMETOOL_TRY(attributes, client.csrattrs());
    ACMETOOL_TRY(asked, parse_csrattrs(attributes));
    const bool bind = options.bind || asked.challenge_password;
    ACMETOOL_TRY(key, key_for(asked, options, journal));
    ACMETOOL_TRY(maker, CsrMaker::make(asked, options, key));

    const auto wishes = digest_of_wishes(attributes, options, bind);
    EnrolTask task;
    task.renewal = options.renewed.has_value();
    if (bind) {
        task.bind = maker;
    } else if (auto before = csr_of_before(journal, wishes, key)) {
        context.log(base::Level::info, "continuing an unfinished enrolment");
        task.csr = std::move(*before);
    } else {
        ACMETOOL_TRY(csr, maker(std::nullopt));
        task.csr = std::move(csr);
    }
    task.before_send = [&](const crypto::Csr& csr) {
        journal.asked = wishes;
        journal.wanted = digest_of_options(options);
        journal.csr = csr.to_pem();
        journal.received.clear();
        journal.certificate.clear();
        return write_journal(options.journal_file, journal);
    };
    ACMETOOL_TRY(enrolment, client.enrol(task));
    if (enrolment.pending) return RunOutcome{std::move(enrolment), {}};
    // The server may not issue a second one: nothing that can fail comes before this.
    journal.received = crypto::to_pem(enrolment.certificates);
    ACMETOOL_CHECK(write_journal(options.journal_file, journal));
    return completed(client, options, cas, std::move(enrolment), journal, context);
}

Result<void> rehearse(Client& client, const RunOptions& options, base::Context& context)
{
    ACMETOOL_CHECK(take_cas(client, options, context));
    ACMETOOL_TRY(attributes, client.csrattrs());
    ACMETOOL_TRY(asked, parse_csrattrs(attributes));
    auto key = options.key.existing;
    if (!key) {
        ACMETOOL_TRY(made, crypto::generate_key(type_of_new_key(asked, options.key.new_type)));
        key = std::move(made);
    }
    ACMETOOL_CHECK(check_key(asked, *key));
    ACMETOOL_TRY(maker, CsrMaker::make(asked, options, *key));
    ACMETOOL_CHECK(maker(std::nullopt));
    return {};
}

} // namespace acmetool::est
