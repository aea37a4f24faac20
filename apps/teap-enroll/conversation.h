#pragma once

#include <functional>
#include <optional>

#include "base/context.h"
#include "base/secret.h"
#include "cli/program.h"
#include "crypto/path.h"
#include "crypto/tls_engine.h"
#include "teap-enroll/options.h"
#include "teap-enroll/request.h"
#include "teap/peer.h"

namespace acmetool::cli
{

/// Who talks: the device and the NAS between it and the server. References are not owned.
struct TeapParty {
    const TeapOptions& options;
    const base::Secret& secret; ///< shared by NAS and server
    crypto::TlsSettings tls;    ///< the device's certificate among them
    crypto::TrustAnchors anchors;
    TeapRequest& request;
    std::function<void(const teap::Shown&)> show; ///< may be empty
};

/// TLS settings with the device's certificate and key, where there is one. Errors: config.
Result<crypto::TlsSettings> read_device(const TeapOptions& options);
/// The numbers of --number. Errors: usage.
Result<teap::BrskiNumbers> numbers_of(const TeapOptions& options);

/// Holds one conversation: an EAP peer with a NAS of its own, until the server lets it in or not, which the
/// result says. Errors are ours: unavailable (no answer), protocol (the server, or something before it,
/// breaks the rules), refused (the server is not to be trusted), interrupted, config.
Result<teap::PeerResult> hold(const TeapParty& party, base::Context& context);

/// When a device that was not let in is to come again; nothing where that is no use.
std::optional<Deferred> not_yet(const teap::PeerResult& result, const teap::BrskiNumbers& numbers);
/// Why a device was not let in, with the likeliest cause; or, let in, did not get what --expect wants.
/// Nothing where all is well.
std::optional<Error> complaint(const teap::PeerResult& result, const TeapOptions& options,
                               const teap::BrskiNumbers& numbers);

} // namespace acmetool::cli
