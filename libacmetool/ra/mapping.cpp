#include "ra/mapping.h"

#include <algorithm>

#include "acme/problem.h"
#include "base/text.h"

namespace acmetool::ra
{
namespace
{

using enrol::Refusal;

constexpr std::size_t kLongestText = 1000;

Refusal of_problem(std::string_view word)
{
    switch (cause_of(word)) {
    case Cause::bad_csr:
    case Cause::caa:
        return Refusal::bad_request;
    case Cause::rejected_identifier:
        return Refusal::bad_identity;
    default:
        return Refusal::internal;
    }
}

int badness(Refusal refusal)
{
    return refusal == Refusal::internal ? 2 : refusal == Refusal::bad_identity ? 1 : 0;
}

/// The problem's own type, or the worst of its subproblems: with these, the type outside is a summary.
Refusal of_problem(const acme::Problem& problem)
{
    if (problem.subproblems.empty()) return of_problem(problem.word());
    Refusal worst = Refusal::bad_request;
    for (const auto& sub : problem.subproblems)
        if (const auto one = of_problem(sub.word()); badness(one) > badness(worst)) worst = one;
    return worst;
}

Refusal of_code(const Error& error)
{
    switch (error.code) {
    case Errc::bad_input:
        return Refusal::bad_request;
    case Errc::temporary:
    case Errc::rate_limited:
    case Errc::unavailable:
    case Errc::interrupted:
    case Errc::io: // a full disk of ours, which is no failure of the CA
    case Errc::cannot_create:
        return Refusal::unavailable;
    case Errc::refused:
        // A program's "no" is the operator's policy; a CA that says no says why.
        return error.reason == Cause::program_refused ? Refusal::forbidden : Refusal::internal;
    default:
        return Refusal::internal;
    }
}

} // namespace

enrol::Refused refusal_of(const Error& error)
{
    enrol::Refused refused;
    refused.text = base::printable(error.message, kLongestText);
    refused.ground = enrol::Ground::order_failed;
    refused.retry_after = error.retry_after;
    if (error.code == Errc::rate_limited || error.code == Errc::temporary ||
        error.reason == Cause::rate_limited) {
        refused.why = Refusal::unavailable;
        return refused;
    }
    if (error.problem_type.empty()) {
        refused.why = of_code(error);
        return refused;
    }
    const auto problem = acme::parse_problem(error.problem);
    acme::Problem bare;
    bare.type = error.problem_type;
    refused.why = of_problem(problem ? *problem : bare);
    return refused;
}

} // namespace acmetool::ra
