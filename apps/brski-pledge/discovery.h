#pragma once

#include "brski-pledge/options.h"

namespace acmetool::cli
{

/// A voucher that passed all checks, and the connection that it authenticated.
struct Vouched {
    brski::VoucherReply reply;
    brski::VoucherVerdict verdict;
};

/// Requests a voucher from the registrar at `place` and checks it. A registrar whose voucher is wrong is told
/// so.
Result<Vouched> voucher_from(const std::string& place, const brski::PledgeOptions& pledge, Io& io);

/// The same with the first of the discovered registrars that has a valid voucher: those on the links, then
/// those of the domain. Each but the last has ten minutes. Errors: unavailable (reason "noRegistrar"), those
/// of the last registrar.
Result<Vouched> voucher_by_discovery(const DeviceOptions& options, const brski::PledgeOptions& pledge,
                                     Io& io);

/// Prints the registrars that can be discovered, in the order in which they would be tried.
Result<void> list_discovered(const DeviceOptions& options, Io& io);

} // namespace acmetool::cli
