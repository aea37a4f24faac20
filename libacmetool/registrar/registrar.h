#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "brski/envelope.h"
#include "brski/status.h"
#include "crypto/cert.h"
#include "crypto/crl.h"
#include "enrol/events.h"
#include "enrol/registration_authority.h"
#include "registrar/decision.h"
#include "registrar/masa.h"
#include "registrar/options.h"
#include "store/database.h"
#include "store/group_commit.h"

namespace acmetool::registrar
{

/// A pledge's signed voucher-request (RFC 8995 section 5.2).
struct VoucherRequested {
    enrol::Peer peer; ///< its certificates are the IDevID and its issuers
    Bytes request;
    brski::Format format = brski::Format::cms;
    std::string accept; ///< media types of vouchers that the pledge takes, as in RFC 9110 section 12.5.1
    std::string request_id = {};                        ///< for logs
    std::optional<std::chrono::milliseconds> wait = {}; ///< for the MASA; absent: Options::wait
};

/// What a device tells of its voucher (RFC 8995 section 5.7) or of its enrolment (section 5.9.4).
struct StatusTold {
    enum class Of { voucher, enrolment };
    enrol::Peer peer;
    Of of = Of::voucher;
    brski::Status status;
    std::string unknown; ///< members of the message that have no meaning here, for the log
};

/// The BRSKI registrar of the relay (RFC 8995): voucher-requests of pledges are sent to their manufacturers'
/// MASAs, vouchers are passed on unchanged, and only devices with a voucher may enrol.
///
/// It has no protocol: est_adapter.h and teap_adapter.h have. Devices are in the store; memory holds only
/// those that are asked for or waited for (open_requests.h). Its thread checks and signs voucher-requests,
/// asks the MASAs and examines what they send; the store's thread only writes. All calls may be made by any
/// thread.
class Registrar
{
public:
    struct Parts {
        enrol::RegistrationAuthority* authority; ///< says whether a device is welcome; not owned
        enrol::EventSink* events;                ///< not owned
        std::shared_ptr<store::GroupCommit> commits;
        std::unique_ptr<store::Database> reader;   ///< another connection to the database of `commits`
        MakeMasa make_masa = {};                   ///< empty: MasaClient::start
        std::function<base::TimePoint()> now = {}; ///< empty: the system's clock
        std::shared_ptr<const crypto::FetchedCrls> crls = nullptr; ///< those of URLs; null: none is known
        std::function<std::string()> run = {}; ///< see OpenRequests::Parts; empty: the store is ours alone
    };

    /// Reads the files that the options name, and continues what an earlier run left. The tables are made
    /// with the first manufacturer. `signer` is the TLS server's certificate and key; the caller has checked
    /// its purposes. Errors: config, io.
    static Result<std::unique_ptr<Registrar>> open(const Options& options, brski::Signer signer, Parts parts);
    ~Registrar(); ///< stops
    Registrar(const Registrar&) = delete;
    Registrar& operator=(const Registrar&) = delete;

    /// False without a manufacturer: no device needs a voucher.
    bool has_manufacturers() const;
    /// Answers at once, or when the MASA has answered, or after the wait. `done` is called once, on the
    /// caller's thread or the registrar's; what it says is on disk. Not after stop().
    void request_voucher(VoucherRequested request, std::function<void(Decision)> done);
    /// Logs and stores what a device tells. `done` gets a refusal, or nothing if the message was taken; it is
    /// called once, on the caller's thread or the store's.
    void take_status(StatusTold told, const std::function<void(std::optional<Refused>)>& done);

    /// True if the certificate is one of these manufacturers' devices, valid or not.
    bool is_device(const enrol::Peer& peer) const;
    /// Why this peer may not enrol; nothing if it may, or if it is no device of these manufacturers. Devices
    /// cost one row of the store, which the registrar's thread reads: a database that hangs holds up nobody
    /// else. `done` is called once: at once, or on the peer's executor.
    void object(const enrol::Peer& peer, std::function<void(std::optional<enrol::Refused>)> done) const;
    /// The device that showed this certificate chain has a new certificate.
    void enrolled(const enrol::Peer& peer, const crypto::Certificate& certificate);

    /// Reads the files of another configuration, for requests to come. Nothing changes before the function
    /// that is returned is called. Errors: config, io.
    Result<std::function<void()>> prepare(const Options& options, brski::Signer signer);

    /// How many devices are in each state. With manufacturers only: else there are no tables.
    base::Json status() const;

    /// Those who wait for vouchers are answered "later"; nobody is answered after it returns.
    void stop();

private:
    struct Impl;
    explicit Registrar(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::registrar
