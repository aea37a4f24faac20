#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/output_queue.h"
#include "ca/nonces.h"
#include "ca/payloads.h"
#include "ca/records.h"
#include "ca/refusal.h"
#include "ca/service.h"
#include "crypto/csr.h"
#include "crypto/key.h"

/// The service's state and its parts: one file each for accounts, authorizations, orders, certificates and
/// background validation; service.cpp leads requests to them.
namespace acmetool::ca
{

using base::Json;
using http::ServerRequest;
using http::ServerResponse;

/// What a signed request turned out to be, with everything that takes cryptography to find out.
struct SignedRequest {
    Json payload;     ///< null for POST-as-GET
    std::string text; ///< the payload as sent
    bool as_get = false;
    std::string account; ///< id; empty where signed by "jwk"
    Json account_jwk;    ///< of the account, when the signature was verified
    crypto::Key key;
    std::optional<Answer<crypto::Csr>> csr;   ///< of finalize
    std::optional<Answer<KeyChange>> new_key; ///< of keyChange
};

/// Somebody who will have the records soon, and commits then; who has them may leave the commit to him.
class Arrival
{
public:
    explicit Arrival(std::atomic<unsigned>& waiting) : waiting_(waiting) {}
    ~Arrival() { over(); }
    Arrival(const Arrival&) = delete;
    Arrival& operator=(const Arrival&) = delete;

    void announce()
    {
        if (!std::exchange(announced_, true)) ++waiting_;
    }
    void over()
    {
        if (std::exchange(announced_, false)) --waiting_;
    }

private:
    std::atomic<unsigned>& waiting_;
    bool announced_ = false;
};

/// A time that was stored in RFC 3339.
base::TimePoint time_of(const Json& object, std::string_view member);

struct Service::Impl {
    ServiceOptions options;
    const Authority& authority;
    Faults& faults;
    base::Context clock; ///< of the handlers
    Nonces nonces;
    std::mutex mutex; ///< records and everything that is decided by them
    Records records;

    /// Requests whose changes become durable with one commit: one fsync for all of them.
    struct Group {
        unsigned size = 0;
        bool is_over = false;
        std::optional<Error> failure;
    };
    std::shared_ptr<Group> group = std::make_shared<Group>();
    std::condition_variable group_over;
    std::atomic<unsigned> waiting{0}; ///< for the mutex, to read or change records, or on their way to it
    std::unique_ptr<base::OutputQueue> request_log;                   ///< null: none is kept
    std::map<std::string, std::deque<base::TimePoint>> recent_orders; ///< by account; within the rate limit

    /// A challenge to look at, in the background.
    struct Job {
        std::string authz;
        std::string type;
        std::chrono::steady_clock::time_point not_before;
    };
    std::vector<Job> asked_for; ///< by the request at hand; under `mutex`
    std::mutex jobs_mutex;
    std::condition_variable_any jobs_wake;
    std::deque<Job> jobs;
    std::vector<std::jthread> workers;

    Impl(ServiceOptions service_options, const Authority& the_authority, Faults& the_faults,
         Records the_records)
        : options(std::move(service_options)), authority(the_authority), faults(the_faults),
          records(std::move(the_records))
    {
    }

    std::string url(std::string_view path) const { return options.base_url + std::string{path}; }
    base::TimePoint now() const { return clock.now(); }
    void keep_log(const Json& line)
    {
        if (request_log) request_log->put(base::to_text(line) + "\n");
    }

    /// Locks the records. Whoever enters calls make_durable() before the lock goes: others may wait for it.
    std::unique_lock<std::mutex> enter();
    std::unique_lock<std::mutex> enter(Arrival& arrival);
    /// Returns when everything that was changed so far, by this request or others, is on disk.
    Result<void> make_durable(std::unique_lock<std::mutex>& lock);

    // Requests
    ServerResponse handle(const ServerRequest& request);
    ServerResponse directory(const ServerRequest& request) const;
    /// Faults that answer in the place of a resource, before anything is looked at.
    Answer<void> play_refusals(const std::string& resource);
    /// What a request has to be before the records are locked for it: of a resource that is here, with a
    /// nonce, and signed. Nothing for a resource that is read without a signature.
    /// Who has a nonce is announced: he comes for the records, whatever becomes of his signature.
    Answer<std::optional<SignedRequest>> admit(const ServerRequest& request, const std::string& resource,
                                               Arrival& arrival);
    /// The rest, with the records locked.
    Answer<ServerResponse> dispatch(const ServerRequest& request, const std::string& resource,
                                    const std::vector<std::string>& path,
                                    const std::optional<SignedRequest>& signed_request, Json& log);
    Answer<SignedRequest> verify(const ServerRequest& request, bool by_jwk, bool either, Arrival& arrival);
    /// The account's "jwk", if it is valid. With the records locked.
    Answer<Json> key_of(const std::string& account);
    void finish(ServerResponse& response, const std::string& resource, const ServerRequest& request);

    // Resources
    Answer<ServerResponse> key_change(const SignedRequest& request);
    Answer<ServerResponse> agree(const std::string& account);
    Answer<ServerResponse> renewal_info(const std::string& certificate_id);
    Answer<ServerResponse> new_account(const SignedRequest& request);
    Answer<ServerResponse> account(const SignedRequest& request, const std::string& id);
    Answer<ServerResponse> orders(const SignedRequest& request, const std::string& id, std::size_t from);
    Answer<ServerResponse> new_authz(const SignedRequest& request, Json& log);
    Answer<ServerResponse> new_order(const SignedRequest& request, Json& log);
    Answer<ServerResponse> order(const SignedRequest& request, const std::string& id);
    Answer<ServerResponse> finalize(const SignedRequest& request, const std::string& id, Json& log);
    Answer<ServerResponse> authz(const SignedRequest& request, const std::string& id);
    Answer<ServerResponse> challenge(const SignedRequest& request, const std::string& id,
                                     const std::string& type);
    Answer<ServerResponse> certificate(const SignedRequest& request, const std::string& id, bool alternate);
    Answer<ServerResponse> revoke(const SignedRequest& request);
    Answer<ServerResponse> crl();

    // Objects
    Answer<Json> owned(std::string_view kind, const std::string& id, const std::string& account);
    Json show_account(const std::string& id, Json object) const;
    /// URL of the terms of service now in force; empty: none.
    std::string terms() const { return faults.value("newTerms").value_or(options.terms_of_service); }
    /// Refusal: userActionRequired where the account has not agreed to the terms in force.
    Answer<void> require_agreement(const std::string& account);
    Answer<void> check_binding(const AccountRequest& request, const crypto::Key& key, const std::string& url);
    Answer<void> count_order(const std::string& account);
    /// The certificate that an ARI certificate ID names (RFC 9773 section 4.1), with its record's id.
    Answer<std::pair<std::string, Json>> find_certificate(const std::string& certificate_id);
    Answer<void> check_replaced(const NewOrder& order, const std::string& account, const Json& names);
    Answer<const CertificateProfile*> profile_of(const std::string& name) const;
    Answer<std::string> make_authz(const std::string& account, const crypto::Identifier& identifier,
                                   bool wildcard, bool subdomains);
    /// The id of a valid authorization that covers `name`; empty where there is none.
    Answer<std::string> covering_authz(const std::string& account, const std::string& name, bool wildcard);
    /// An authorization for what was ordered, there already or made; `full` gets the name in its one form.
    Answer<std::string> authz_for(const std::string& account, const OrderIdentifier& identifier,
                                  std::string& full);
    std::string authz_status(const Json& object) const;
    Answer<std::string> order_status(Json& object);
    Json show_authz(const std::string& id, const Json& object) const;
    Answer<Json> show_order(const std::string& id, Json object);
    Answer<std::string> issue(const std::string& account, const crypto::Csr& csr, const Json& order);
    ServerResponse reply(int status, const Json& body, const std::string& location = {}) const;

    // Validation
    void enqueue(Job job);
    void work(const std::stop_token& stop);
    void validate(const Job& job);
    std::optional<ValidationFailure> look_at(const Json& authz, const Json& challenge,
                                             base::Context& context);
    Result<void> resume();
};

} // namespace acmetool::ca
