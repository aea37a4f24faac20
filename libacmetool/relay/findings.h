#pragma once

#include <fmt/core.h>

#include "relay/check.h"
#include "relay/health.h"

/// Output of the parts of `est-relay check`.
namespace acmetool::relay
{

using Findings = std::vector<Finding>;

inline void ok(Findings& findings, std::string subject, std::string text)
{
    findings.push_back({Verdict::ok, std::move(subject), std::move(text), {}});
}
inline void warn(Findings& findings, std::string subject, std::string text, std::string hint)
{
    findings.push_back({Verdict::warn, std::move(subject), std::move(text), std::move(hint)});
}
inline void bad(Findings& findings, std::string subject, const Error& error)
{
    findings.push_back({Verdict::fail, std::move(subject), error.message, error.hint});
}

/// Ok with the remaining time, a warning if it is short, a failure if it has passed.
inline void check_end(Findings& findings, const std::string& subject, const std::string& what,
                      base::TimePoint end, base::TimePoint now, const std::string& hint)
{
    const auto text = fmt::format("{} until {}", what, base::to_rfc3339(end));
    const auto verdict = end <= now ? Verdict::fail : end - now < kEndsSoon ? Verdict::warn : Verdict::ok;
    findings.push_back({verdict, subject, text, verdict == Verdict::ok ? std::string{} : hint});
}

/// [cacerts], and what it is for the certificate in [tls] and for the CA's intermediates.
void check_cacerts(Findings& findings, const Config& config, base::TimePoint now);
/// The registrar's certificate, the manufacturers' files and policies. Nothing without [[manufacturer]].
void check_brski(Findings& findings, const Config& config, base::TimePoint now);
/// [admin]: certificate, CAs of clients, token. Nothing without listen.
void check_admin(Findings& findings, const Config& config, base::TimePoint now);
/// [events]: the program can be run, the files be read.
void check_events(Findings& findings, const Config& config);
/// The files of users, and what their passwords are worth.
void check_users(Findings& findings, const Config& config);
/// Checks that every configured MASA can be reached, with its certificate and under the rules of SEC-06.
void ask_masas(Findings& findings, const Config& config, base::Context& context);

} // namespace acmetool::relay
