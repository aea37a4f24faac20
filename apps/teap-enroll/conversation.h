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

/// The parties: the device and the NAS between it and the server. References are not owned.
struct TeapParty {
    const TeapOptions& options;
    const base::Secret& secret; ///< shared by NAS and server
    crypto::TlsSettings tls;    ///< with the device's certificate
    crypto::TrustAnchors anchors;
    TeapRequest& request;
    std::function<void(const teap::Shown&)> show; ///< may be empty
};

/// The certificates of --ca-file; none without it. Errors: config.
Result<std::vector<crypto::Certificate>> read_anchors(const std::string& ca_file);
/// TLS settings with the device's certificate and key, if given; intermediates that its file lacks are taken
/// from `anchors`. Errors: config.
Result<crypto::TlsSettings> read_device(const TeapOptions& options,
                                        const std::vector<crypto::Certificate>& anchors);
/// The numbers of --number. Errors: usage.
Result<teap::BrskiNumbers> numbers_of(const TeapOptions& options);

/// Runs one conversation of an EAP peer with its NAS until the server accepts or rejects it, which the result
/// says. Errors: unavailable (no answer), protocol (the server or a proxy violates the protocol), refused
/// (the server is not trusted), interrupted, config.
Result<teap::PeerResult> hold(const TeapParty& party, base::Context& context);

/// When a rejected device should try again; nothing if trying again cannot help.
std::optional<Deferred> not_yet(const teap::PeerResult& result, const teap::BrskiNumbers& numbers);
/// Why a device was rejected, with the most likely cause, or why an accepted device missed what --expect
/// requires. Nothing on success.
std::optional<Error> complaint(const teap::PeerResult& result, const TeapOptions& options,
                               const teap::BrskiNumbers& numbers);

} // namespace acmetool::cli
