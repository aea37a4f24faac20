#include "acme-order/check.h"

#include <memory>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/account.h"
#include "acme/client.h"
#include "acme/renewal_info.h"
#include "base/text.h"
#include "common/acme_options.h"
#include "common/kept.h"
#include "crypto/path.h"
#include "dns/name.h"
#include "relay/crl_keeper.h"
#include "store/atomic_file.h"
#include "store/configured.h"

namespace acmetool::cli
{
namespace
{

struct CheckOptions {
    std::vector<std::string> files;
    std::vector<std::string> names;
    std::string key;
    std::string trust; ///< empty: the system's roots
    std::vector<std::string> crls;
    std::string directory;
    std::optional<base::Margin> warning;
    std::optional<base::Margin> critical;
};

/// A certificate that is renewed with a third of its life left, the default, is below these only if renewal
/// fails.
constexpr base::Margin kWarning{.fixed = {}, .numerator = 1, .denominator = 4};
constexpr base::Margin kCritical{.fixed = {}, .numerator = 1, .denominator = 10};

struct Finding {
    Alarm alarm;
    std::string code;
    std::string text;
};

struct Checked {
    std::string file;
    std::optional<crypto::Certificate> certificate;
    std::optional<acme::RenewalInfo> renewal_info;
    std::vector<Finding> findings;

    void add(Alarm alarm, std::string code, std::string text)
    {
        findings.push_back({alarm, std::move(code), std::move(text)});
    }
    Alarm alarm() const
    {
        auto worst = Alarm::well;
        for (const auto& finding : findings)
            worst = worse(worst, finding.alarm);
        return worst;
    }
};

class Check
{
public:
    Check(CheckOptions options, Io& io) : options_(std::move(options)), io_(io), now_(io.context().now()) {}

    Result<void> go();

private:
    Result<void> prepare();
    Result<void> fetch_crls();
    Result<Checked> look_at(const std::string& file);
    void look_at_time(Checked& checked) const;
    void look_at_names(Checked& checked) const;
    void look_at_key(Checked& checked) const;
    void look_at_chain(Checked& checked, const std::vector<crypto::Certificate>& chain) const;
    Result<void> look_at_renewal(Checked& checked);

    CheckOptions options_;
    Io& io_;
    base::TimePoint now_;
    crypto::TrustAnchors anchors_;
    std::optional<crypto::Key> key_;
    std::shared_ptr<const crypto::CrlSet> crls_;
    std::string crl_problem_; ///< why a CRL could not be fetched
    std::unique_ptr<acme::Client> client_;
};

Result<void> Check::fetch_crls()
{
    const auto fetched = std::make_shared<crypto::FetchedCrls>();
    for (const auto& source : options_.crls) {
        if (!crypto::is_crl_url(source)) continue;
        auto crls = relay::fetch_crl(source, {}, io_.context());
        if (!crls && crls.error().code == Errc::interrupted) return fail(crls.error());
        if (crls)
            fetched->put(source, std::move(crls->crls));
        else
            crl_problem_ = crls.error().message;
    }
    ACMETOOL_TRY(set, store::read_crl_sources({options_.crls, crypto::StaleCrl::refuse}, fetched));
    crls_ = set;
    return {};
}

Result<void> Check::prepare()
{
    if (!options_.directory.empty()) ACMETOOL_CHECK(check_directory(options_.directory));
    if (options_.files.size() > 1 && !options_.key.empty())
        return fail(Errc::usage, "--key is for one certificate", "call check once for each key",
                    "severalFiles");
    for (auto& name : options_.names)
        if (auto normal = dns::normalize_name(name)) name = std::move(*normal); // others are addresses
    anchors_.system = options_.trust.empty();
    if (!anchors_.system) {
        ACMETOOL_TRY(roots, store::read_configured_certificates(options_.trust, "--trust"));
        anchors_.certificates = std::move(roots);
    }
    if (!options_.key.empty()) {
        ACMETOOL_TRY(key, acme::load_private_key(options_.key, "certificate key", "choose it with --key", {},
                                                 &io_.context()));
        key_ = key;
    }
    return fetch_crls();
}

void Check::look_at_time(Checked& checked) const
{
    const auto begin = checked.certificate->not_before();
    const auto end = checked.certificate->not_after();
    if (now_ < begin)
        return checked.add(Alarm::critical, "notYetValid",
                           "it is not valid before " + base::to_rfc3339(begin));
    if (end <= now_) return checked.add(Alarm::critical, "expired", "it expired at " + base::to_rfc3339(end));
    if (now_ >= options_.critical.value_or(kCritical).due(begin, end))
        checked.add(Alarm::critical, "expiresSoon", "it expires soon and was not renewed");
    else if (now_ >= options_.warning.value_or(kWarning).due(begin, end))
        checked.add(Alarm::warning, "expiresSoon", "it should have been renewed");
}

void Check::look_at_names(Checked& checked) const
{
    for (const auto& name : options_.names)
        if (!crypto::is_valid_for(*checked.certificate, name))
            checked.add(Alarm::critical, "nameMissing",
                        fmt::format("it is not valid for {}", base::printable(name, 300)));
}

void Check::look_at_key(Checked& checked) const
{
    if (key_ && !checked.certificate->public_key().same_public_key(*key_))
        checked.add(Alarm::critical, "keyMismatch",
                    fmt::format("the key {} does not fit it", base::printable(options_.key, 300)));
}

void Check::look_at_chain(Checked& checked, const std::vector<crypto::Certificate>& chain) const
{
    for (std::size_t i = 1; i < chain.size(); ++i) {
        if (chain[i - 1].is_issued_by(chain[i])) continue;
        checked.add(Alarm::warning, "chainOrder",
                    fmt::format("certificate {} of the file, {}, did not issue the one before it", i + 1,
                                base::printable(chain[i].subject(), 200)));
        break;
    }
    // Outside of its time no path is valid, and that is said already.
    if (!crypto::time_fault(chain.front(), now_).empty()) return;
    const crypto::PathPolicy policy{.purpose = options_.names.empty() ? crypto::Purpose::any
                                                                      : crypto::Purpose::tls_server,
                                    .at = now_,
                                    .crls = crls_};
    const auto path = crypto::verify_path(chain.front(), {chain.begin() + 1, chain.end()}, anchors_, policy);
    if (path) return;
    const auto& error = path.error();
    const bool is_stale = error.code == Errc::temporary;
    const auto code = name_of(error);
    checked.add(is_stale ? Alarm::unknown : Alarm::critical, code,
                is_stale && !crl_problem_.empty() ? crl_problem_
                : code == "path"                  ? "the chain leads to no root: " + error.message
                                                  : error.message);
}

/// A CA without renewal information is no finding.
Result<void> Check::look_at_renewal(Checked& checked)
{
    if (options_.directory.empty() || checked.certificate->not_after() <= now_) return {};
    const auto unknown = [&](const Error& error) -> Result<void> {
        if (error.code == Errc::interrupted) return fail(error);
        if (error.reason != Cause::renewal_info_unsupported)
            checked.add(Alarm::unknown, name_of(error), "renewal information: " + error.message);
        return {};
    };
    if (!client_) {
        constexpr base::Milliseconds kTimeout{30'000};
        auto client = acme::Client::connect(options_.directory, io_.ca_file(), {},
                                            io_.timeout().value_or(kTimeout), io_.context());
        if (!client) return unknown(client.error());
        client_ = std::move(*client);
    }
    const auto answer = acme::fetch_renewal_info(*client_, *checked.certificate);
    if (!answer) return unknown(answer.error());
    checked.renewal_info = answer->info;
    if (now_ < answer->info.end) return {};
    const auto& why = answer->info.explanation_url;
    checked.add(Alarm::warning, "renewalOverdue",
                fmt::format("the CA wants it renewed before {}{}", base::to_rfc3339(answer->info.end),
                            why.empty() ? "" : ": " + base::printable(why, 300)));
    return {};
}

Result<Checked> Check::look_at(const std::string& file)
{
    Checked checked;
    checked.file = file;
    const auto text = file == "-" ? io_.input() : store::read_file(file);
    if (!text && text.error().code == Errc::interrupted) return fail(text.error());
    if (!text) {
        std::string_view why = text.error().message;
        if (why.starts_with(file + ": ")) why.remove_prefix(file.size() + 2); // the line begins with it
        checked.add(Alarm::unknown, "unreadable", std::string{why});
        return checked;
    }
    const auto chain = crypto::parse_certificates(*text, "the file");
    if (!chain) {
        checked.add(Alarm::critical, "noCertificate", chain.error().message);
        return checked;
    }
    checked.certificate = chain->front();
    look_at_time(checked);
    look_at_names(checked);
    look_at_key(checked);
    look_at_chain(checked, *chain);
    ACMETOOL_CHECK(look_at_renewal(checked));
    return checked;
}

std::int64_t days_left(const Checked& checked, base::TimePoint now)
{
    return std::chrono::floor<std::chrono::days>(checked.certificate->not_after() - now).count();
}

base::Json json_of(const Checked& checked, base::TimePoint now)
{
    base::Json findings = base::Json::array();
    for (const auto& finding : checked.findings)
        findings.push_back({{"alarm", name_of(finding.alarm)},
                            {"code", finding.code},
                            {"text", base::printable(finding.text, 1000)}});
    base::Json object{{"file", base::printable(checked.file, 4096)},
                      {"alarm", name_of(checked.alarm())},
                      {"findings", std::move(findings)}};
    if (!checked.certificate) return object;
    const auto& certificate = *checked.certificate;
    base::Json identifiers = base::Json::array();
    for (const auto& identifier : certificate.identifiers())
        identifiers.push_back({{"type", identifier.type}, {"value", base::printable(identifier.value, 300)}});
    object["serial"] = certificate.serial();
    object["identifiers"] = std::move(identifiers);
    object["issuer"] = base::printable(certificate.issuer(), 1000);
    object["notBefore"] = base::to_rfc3339(certificate.not_before());
    object["notAfter"] = base::to_rfc3339(certificate.not_after());
    object["daysLeft"] = days_left(checked, now);
    if (checked.renewal_info)
        object["suggestedWindow"] = {{"start", base::to_rfc3339(checked.renewal_info->start)},
                                     {"end", base::to_rfc3339(checked.renewal_info->end)}};
    return object;
}

/// "CRITICAL site.pem: it expired at ...; -3 days left, a.example"
std::string line_of(const Checked& checked, base::TimePoint now)
{
    constexpr std::string_view kWords[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"}; // as monitors know them
    std::vector<std::string> parts;
    parts.reserve(checked.findings.size() + 1);
    for (const auto& finding : checked.findings)
        parts.push_back(base::printable(finding.text, 1000));
    if (checked.certificate) {
        const auto identifiers = checked.certificate->identifiers();
        parts.push_back(fmt::format(
            "{} days left, until {}{}", days_left(checked, now),
            base::to_rfc3339(checked.certificate->not_after()),
            identifiers.empty()
                ? ""
                : fmt::format(
                      ", {}{}", base::printable(identifiers.front().value, 300),
                      identifiers.size() == 1 ? "" : fmt::format(" and {} more", identifiers.size() - 1))));
    }
    return fmt::format("{} {}: {}\n", kWords[static_cast<std::size_t>(checked.alarm())],
                       base::printable(checked.file, 4096), base::join(parts, "; "));
}

Result<void> Check::go()
{
    ACMETOOL_CHECK(prepare());
    auto worst = Alarm::well;
    std::string text;
    base::Json files = base::Json::array();
    for (const auto& file : options_.files) {
        ACMETOOL_TRY(checked, look_at(file));
        worst = worse(worst, checked.alarm());
        text += line_of(checked, now_);
        files.push_back(json_of(checked, now_));
    }
    io_.exit_with(static_cast<int>(worst));
    if (!io_.json()) return io_.write(text);
    return io_.write_document("certificate-check", {{"alarm", name_of(worst)}, {"files", std::move(files)}});
}

} // namespace

void add_check(Program& program)
{
    const auto options = std::make_shared<CheckOptions>();
    auto& verb = program.verb("check", "tell a monitor about deployed certificates, by line and exit status");
    verb.words("FILE", options->files, "PEM file with a certificate and its chain", true)
        .option("--name NAME", options->names, "Name or address that it must be valid for (repeatable)")
        .option("--key KEY", options->key, "Private key that must fit it (file or URI)")
        .option("--trust FILE", options->trust,
                "Roots (PEM) that the chain must lead to; default: the system's")
        .option("--crl SOURCE", options->crls,
                "File or URL of a CRL: it must not be revoked there (repeatable)")
        .option("--directory URL", options->directory,
                "ACME directory of its CA, which is asked when it should be renewed")
        .option("--warning DURATION", options->warning,
                "Warn this long before expiry: a duration or a share of the lifetime; default: 1/4")
        .option("--critical DURATION", options->critical, "Critical this long before expiry; default: 1/10")
        .example("acme-order check --name site.domain.com --key site.key site.pem")
        .action([options](Io& io) {
            return Check{*options, io}.go();
        });
}

} // namespace acmetool::cli
