#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/output_queue.h"
#include "base/worker_pool.h"
#include "ca/account_keys.h"
#include "ca/nonces.h"
#include "ca/payloads.h"
#include "ca/records.h"
#include "ca/refusal.h"
#include "ca/service.h"
#include "crypto/csr.h"
#include "crypto/key.h"
#include "store/group_commit.h"

/// The service's state and its parts: one file each for accounts, authorizations, orders, certificates, the
/// CRL and background validation; service.cpp leads requests to them.
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

enum class Resource {
    unknown,
    directory,
    new_nonce,
    new_account,
    new_authz,
    new_order,
    revoke_cert,
    key_change,
    account,
    orders,
    order,
    finalize,
    authz,
    challenge,
    certificate,
    crl,
    agree,
    renewal_info
};

/// A request on its way to the answer.
struct PendingRequest {
    ServerRequest request;
    http::Responder respond;
    std::vector<std::string> path; ///< its parts
    std::string name;              ///< of the resource, for faults and the request log
    Resource resource = Resource::unknown;
    Json log = Json::object();
    std::optional<SignedRequest> signed_request; ///< nothing if the resource is read without a signature

    std::string part(std::size_t place) const { return path.size() > place ? path[place] : ""; }
};
using PendingPtr = std::shared_ptr<PendingRequest>;

/// A time that was stored in RFC 3339.
base::TimePoint time_of(const Json& object, std::string_view member);

constexpr unsigned kMostValidations = 4; ///< at once
constexpr std::string_view kAccountHashPath =
    "/account-hash/"; ///< of the hashed accounturi of dns-persist-01

/// What an authorization is for: a name, a wildcard with its "*.", or a domain with its subdomains.
using AuthzScope = std::pair<std::string, bool>;
/// The authorizations of an order, by what they are for: an identifier has one (RFC 8555 section 7.1.3).
using AuthzOfOrder = std::map<AuthzScope, std::string>;

/// Requests are verified on the server's threads. What needs the records is a job of the one writer, whose
/// thread also has the timers and the queue of validations; what blocks or signs the CRL runs in the pool.
struct Service::Impl {
    ServiceOptions options;
    const Authority& authority;
    Faults& faults;
    base::Context clock; ///< of the handlers
    Nonces nonces;
    AccountKeys account_keys;
    CommittedRecords committed;                     ///< for the server's threads
    std::unique_ptr<base::OutputQueue> request_log; ///< null: none is kept

    /// A challenge to look at, with its authorization as it was when the client asked for it.
    struct Validation {
        std::string authz;
        std::string type;
        Json object;
    };
    struct SignedCrl {
        std::string der;
        base::TimePoint fresh_until;
    };
    using CrlReaders = std::vector<PendingPtr>;

    // Used on the writer's thread only.
    store::Database& database;
    Records records;
    std::map<std::string, std::deque<base::TimePoint>> recent_orders; ///< by account; within the rate limit
    std::vector<Validation> asked_for;                                ///< by the request at hand
    std::deque<Validation> due;                                       ///< validations that wait for a thread
    unsigned validating = 0;
    std::optional<SignedCrl> signed_crl;     ///< nothing after a revocation
    std::shared_ptr<CrlReaders> crl_readers; ///< they wait for the CRL that is being made; null: none is

    store::GroupCommit commits;
    base::WorkerPool pool;

    Impl(ServiceOptions service_options, const Authority& the_authority, Faults& the_faults,
         std::unique_ptr<store::Database> writer, std::unique_ptr<store::Database> reader);
    /// Running validations end, and all requests are answered.
    ~Impl();

    std::string url(std::string_view path) const { return options.base_url + std::string{path}; }
    base::TimePoint now() const { return clock.now(); }
    void keep_log(const Json& line)
    {
        if (request_log) request_log->put(base::to_text(line) + "\n");
    }

    // Requests, on the server's threads
    void handle(ServerRequest request, http::Responder respond);
    /// What comes after the fault "slow".
    void begin(const PendingPtr& pending);
    ServerResponse directory(const ServerRequest& request) const;
    /// Faults that answer instead of a resource, before anything is looked at.
    Answer<void> play_refusals(const std::string& resource);
    /// What a request has to be before it becomes a job: for a resource that exists, with a nonce, and
    /// signed.
    Answer<void> admit(PendingRequest& pending);
    Answer<SignedRequest> verify(const PendingRequest& pending);
    /// The account's "jwk", if it is valid.
    Answer<Json> key_of(Result<std::optional<Json>> stored) const;
    /// Posts the job; the answer leaves after its commit.
    void post(const PendingPtr& pending);

    // On the writer's thread, in a transaction
    Answer<ServerResponse> dispatch(PendingRequest& pending);
    Answer<ServerResponse> dispatch_open(const PendingRequest& pending);

    // On any thread
    void answer(PendingRequest& pending, Answer<ServerResponse> answered);
    void finish(ServerResponse& response, const PendingRequest& pending);

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
    /// Adds the authorization for what was ordered, `full` in its one form: one that covers it already, one
    /// of this order, or a new one.
    Answer<void> authz_for(const std::string& account, const OrderIdentifier& identifier,
                           const std::string& full, AuthzOfOrder& authorizations);
    /// Refusal: badCSR where an account, this or another, has the key (RFC 8555 section 11.1).
    Answer<void> check_key_is_free(const crypto::Key& key, const std::string& account);
    std::string authz_status(const Json& object) const;
    /// Of dns-persist-01: each accounturi by which the account was authorized for `name` before, perhaps with
    /// an earlier key (draft -02 section "Verification Procedure").
    Answer<Json> accepted_uris(const std::string& account, const std::string& name);
    /// After a revocation with a certificate's key the account has to prove its names with its present key.
    Answer<void> forget_uris(const std::string& account);
    Answer<std::string> order_status(Json& object);
    Json show_authz(const std::string& id, const Json& object) const;
    Answer<Json> show_order(const std::string& id, Json object);
    Answer<std::string> issue(const std::string& account, const crypto::Csr& csr, const Json& order);
    ServerResponse reply(int status, const Json& body, const std::string& location = {}) const;

    // Validation
    void schedule(Validation validation);
    void start_validations();
    struct Outcome {
        std::optional<ValidationFailure> failure;
        std::optional<acme::PersistentRecord> record{}; ///< of dns-persist-01
        Json subproblems = Json::array();               ///< of CAA: one for each refused name
    };
    void conclude(const Validation& validation, const Outcome& outcome);
    Outcome look_at(const Json& authz, const Json& challenge, base::Context& context);
    Outcome look_at_record(const Json& authz, base::Context& context);
    Outcome look_at(const Validation& validation);
    Result<void> resume();

    // CAA records at issuance: an order is "processing" with its "csr" until they were looked up.
    /// The names of a valid authorization each, with the type of its challenge.
    Answer<Json> proofs_of(const Json& order);
    Answer<void> check_caa_first(const std::string& id, Json& order, const crypto::Csr& csr);
    Outcome look_at_caa(const Json& order);
    void conclude_caa(const Validation& validation, const Outcome& outcome);

    // The CRL, on the writer's thread between transactions
    void give_crl(const PendingPtr& pending);
    void start_crl(const std::shared_ptr<CrlReaders>& readers);
    /// In the pool, with a connection of its own: of what is committed by then.
    Result<Bytes> make_crl(base::TimePoint time) const;
    void take_crl(const std::shared_ptr<CrlReaders>& readers, const Result<Bytes>& der, base::TimePoint made);
    void forget_crl();
};

} // namespace acmetool::ca
