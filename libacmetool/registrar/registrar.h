#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "brski/envelope.h"
#include "crypto/cert.h"
#include "enrol/events.h"
#include "enrol/registration_authority.h"
#include "http/server.h"
#include "registrar/options.h"

namespace acmetool::registrar
{

/// The BRSKI registrar of the relay (RFC 8995): voucher-requests of pledges go to their manufacturers' MASAs,
/// vouchers come back unchanged, and only devices that have one may enrol.
///
/// Each manufacturer has a thread of its own, which owns its part of the store and the connections to its
/// MASA: one that is dead delays nobody else's. What a pledge is told is on disk. All calls may be made by
/// any thread.
class Registrar
{
public:
    /// Reads the files that the options name and continues what an earlier run left. `authority` is asked
    /// whether a device is welcome; it and `events` are not owned. `signer` is the TLS server's certificate
    /// and key, its purposes looked at by the caller. Errors: config, io.
    static Result<std::unique_ptr<Registrar>> open(const Options& options, const std::string& store_file,
                                                   brski::Signer signer,
                                                   enrol::RegistrationAuthority& authority,
                                                   enrol::EventSink& events);
    ~Registrar();
    Registrar(const Registrar&) = delete;
    Registrar& operator=(const Registrar&) = delete;

    /// True for what is below /.well-known/brski.
    static bool is_target(std::string_view target);
    /// Answers one request, at once or when the MASA did.
    void handle(http::ServerRequest request, http::Responder respond);

    /// True where the certificate is one of these manufacturers' devices.
    bool is_device(const enrol::Peer& peer) const;
    /// Why this peer may not enrol; nothing where it may, or where it is no device of these manufacturers.
    std::optional<enrol::Refused> objection(const enrol::Peer& peer) const;
    /// The device that showed this certificate chain has a new certificate.
    void enrolled(const enrol::Peer& peer, const crypto::Certificate& certificate);

    /// Reads the files of another configuration, for connections to come. Nothing changes before what comes
    /// back is called. Errors: config, io.
    Result<std::function<void()>> prepare(const Options& options, brski::Signer signer);

    /// Each device and where it stands.
    base::Json status() const;

private:
    struct Impl;
    explicit Registrar(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// The registration authority as devices of BRSKI manufacturers see it: closed to them until their voucher
/// was forwarded and their audit log was found good (RFC 8995 sections 5.8.3 and 5.9).
class Gate final : public enrol::RegistrationAuthority
{
public:
    Gate(enrol::RegistrationAuthority& behind, Registrar& registrar) : behind_(behind), registrar_(registrar)
    {
    }
    void enrol(enrol::EnrolRequest request, std::function<void(enrol::Decision)> done) override;
    void csr_attributes(enrol::Peer peer, const std::string& label,
                        std::function<void(enrol::AttributesDecision)> done) override;
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string& label) override;

private:
    enrol::RegistrationAuthority& behind_;
    Registrar& registrar_;
};

} // namespace acmetool::registrar
