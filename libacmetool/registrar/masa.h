#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "brski/audit_log.h"
#include "crypto/cert.h"
#include "enrol/events.h"
#include "http/multi_client.h"
#include "http/server.h"
#include "registrar/masa_login.h"
#include "registrar/options.h"
#include "registrar/records.h"

namespace acmetool::registrar
{

/// Errc::refused where the allow-list of the manufacturer (SEC-06) does not have this MASA.
Result<void> may_ask(const ManufacturerOptions& manufacturer, const std::string& masa_url);

/// How a MASA is asked: whom its TLS server has to be, what is shown to it, for how long and how much.
http::ClientOptions masa_client(const Options& options, const ManufacturerOptions& manufacturer);

/// One manufacturer's devices, its MASA, and the thread between them.
class MasaClient
{
public:
    /// Continues what an earlier run left; `registrar` is this registrar's own certificate chain.
    static Result<std::unique_ptr<MasaClient>>
    open(const Options& options, const ManufacturerOptions& manufacturer, const std::string& store_file,
         const std::vector<crypto::Certificate>& registrar, enrol::EventSink& events);
    ~MasaClient();
    MasaClient(const MasaClient&) = delete;
    MasaClient& operator=(const MasaClient&) = delete;

    /// Goes on with other settings, and reads the anchors of the MASA's TLS server anew. What the MASA has
    /// not answered yet is asked once more.
    void use(const Options& options, const ManufacturerOptions& manufacturer);

    /// The record of a device; nothing where it never asked.
    std::optional<Record> find(const std::string& id) const;
    /// The record of the device whose newest certificate has this SHA-256.
    std::optional<Record> find_by_certificate(const std::string& digest) const;
    std::vector<Record> all() const;

    /// Answers when the voucher is there, or with 202. A record with another request than the present one
    /// begins anew; the same request joins what is under way. `anchors` is this registrar's own certificate
    /// chain: a voucher that pins something else is of no use.
    void ask(Record record, std::vector<crypto::Certificate> registrar, http::Responder respond);
    /// Changes a record and answers once that is on disk; `change` is called on it if it is there.
    void change(const std::string& id, const std::function<void(Record&)>& change, http::Responder respond,
                http::ServerResponse response);

private:
    struct Waiter {
        std::chrono::steady_clock::time_point until;
        http::Responder respond;
    };
    struct Device {
        Record record;
        std::vector<Waiter> waiters;
        bool asked = false;      ///< a request to the MASA is under way
        bool remembered = false; ///< the present request is on disk
        bool logged_in = false;  ///< the present request answered a challenge
        std::chrono::steady_clock::time_point again{};
        std::chrono::seconds backoff{1};
        std::vector<crypto::Certificate> registrar;
        std::string pinned_domain; ///< domainID that the voucher pins; empty: not read yet
    };
    struct Answer {
        http::Responder respond;
        http::ServerResponse response;
    };

    MasaClient(const Options& options, ManufacturerOptions manufacturer, Records records,
               const http::CurlLibrary& curl, enrol::EventSink& events);
    void run();
    void send_due();
    void took_voucher(const std::string& id, const std::string& digest, Result<http::Response> reply);
    void took_log(const std::string& id, const std::string& digest, Result<http::Response> reply);
    void follow_log(const std::string& id, const std::string& digest, const http::Response& reply);
    bool log_in(Device& device, const http::Response& reply);
    void later(Device& device, const std::string& why, std::optional<std::chrono::seconds> asked);
    void refuse(Device& device, int status, const std::string& reason);
    http::ServerResponse answer(Device& device);
    void wake();
    void renew_client();
    void end_waits();
    void touch(const Device& device);
    void commit();
    void tell(const Record& record, const std::string& what);
    Device* current(const std::string& id, const std::string& digest);

    const http::CurlLibrary& curl_;
    enrol::EventSink& events_;
    Records records_;

    mutable std::mutex mutex_; ///< of all below
    Options options_;
    ManufacturerOptions manufacturer_;
    std::unique_ptr<http::MultiClient> http_; ///< changed, and run, by the thread alone
    bool other_settings_ = false;             ///< since `http_` was made
    MasaLogin login_;
    std::map<std::string, Device> devices_;
    std::set<std::string> open_; ///< of them those that are not decided, or that somebody waits for
    std::map<std::string, Record> dirty_;
    std::vector<Answer> answers_;                         ///< to give once `dirty_` is on disk
    std::chrono::steady_clock::time_point write_by_{};    ///< where `dirty_` has any
    std::chrono::steady_clock::time_point write_again_{}; ///< not before, after a write that failed
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace acmetool::registrar
