#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <stdlib.h>

#include "../comes_true.h"
#include "../crypto/certificates.h"
#include "brski/audit_log.h"
#include "brski/manufacturer.h"
#include "brski/pledge.h"
#include "brski/voucher.h"
#include "enrol/identity.h"
#include "registrar/records.h"
#include "registrar/registrar.h"
#include "store/group_commit.h"
#include "store/sqlite.h"

namespace acmetool::test
{

using namespace std::chrono_literals;

/// A MASA in the test's hands: it notes what it is asked, and answers when the test says so.
struct MasaBoard {
    struct Asked {
        registrar::MasaQuestion question;
        registrar::Masa::Hear hear;
    };
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Asked> asked;
    std::vector<std::string> forgotten;
    unsigned uses = 0; ///< of other settings

    /// Waits for the question with this number, from 0.
    Asked question(std::size_t number)
    {
        std::unique_lock lock{mutex};
        REQUIRE(changed.wait_for(lock, kPatience, [&] { return asked.size() > number; }));
        return asked[number];
    }
    std::size_t count()
    {
        const std::lock_guard lock{mutex};
        return asked.size();
    }
};

class MasaDouble final : public registrar::Masa
{
public:
    explicit MasaDouble(std::shared_ptr<MasaBoard> board) : board_(std::move(board)) {}
    void ask(registrar::MasaQuestion question, Hear hear) override
    {
        const std::lock_guard lock{board_->mutex};
        board_->asked.push_back({std::move(question), std::move(hear)});
        board_->changed.notify_all();
    }
    void forget(const std::string& id) override
    {
        const std::lock_guard lock{board_->mutex};
        board_->forgotten.push_back(id);
    }
    void use(registrar::MasaSettings /*settings*/) override
    {
        const std::lock_guard lock{board_->mutex};
        ++board_->uses;
    }

private:
    std::shared_ptr<MasaBoard> board_;
};

/// A registrar with one manufacturer, a MASA double and a registration authority that takes everybody.
class RegistrarLab final : public enrol::EventSink, public enrol::RegistrationAuthority
{
public:
    struct Pledge {
        http::TlsIdentity identity;
        std::vector<crypto::Certificate> chain() const { return identity.certificates; }
        std::string id() const
        {
            const auto key = [](const auto& one) { return to_hex(one.public_key().spki_sha256()); };
            const auto certificates = chain();
            const auto& idevid = certificates.front();
            return enrol::device_id(*enrol::device_serial(idevid), key(certificates.back())) + "/" +
                   key(idevid);
        }
    };

    RegistrarLab()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "registrar-test-XXXXXX").string();
        folder = mkdtemp(pattern.data());
        auto made = brski::open_manufacturer(folder + "/maker", now());
        REQUIRE(made);
        maker = std::move(*made);
        registrar::ManufacturerOptions manufacturer;
        manufacturer.name = "maker";
        manufacturer.trust = {folder + "/maker/vendor.pem"};
        manufacturer.masa_url = "masa.example.com";
        options.manufacturers = {manufacturer};
        options.audit_log = false;
        options.wait = 120s;
    }
    ~RegistrarLab() override
    {
        close();
        std::filesystem::remove_all(folder);
    }

    base::TimePoint now() const { return base::now() + std::chrono::seconds{passed.load()}; }

    registrar::Registrar& open()
    {
        close();
        commits = std::make_shared<store::GroupCommit>(connect(), "test-store");
        auto opened = registrar::Registrar::open(options, signer(), parts());
        if (!opened) FAIL(opened.error().message);
        subject = std::move(*opened);
        return *subject;
    }
    registrar::Registrar::Parts parts()
    {
        registrar::Registrar::Parts given;
        given.authority = this;
        given.events = this;
        given.commits = commits;
        given.reader = connect();
        given.make_masa = [this](registrar::MasaSettings,
                                 registrar::MasaThread) -> Result<std::unique_ptr<registrar::Masa>> {
            return std::make_unique<MasaDouble>(masa);
        };
        given.now = [this] { return now(); };
        return given;
    }
    void close()
    {
        subject.reset();
        if (commits) commits->stop();
        commits.reset();
    }
    std::unique_ptr<store::Database> connect() const
    {
        auto opened = store::Sqlite::open(folder + "/relay.db");
        REQUIRE(opened);
        return std::move(*opened);
    }
    brski::Signer signer() const { return {own.key, {own.certificate}}; }

    Pledge pledge(const std::string& serial) const
    {
        auto key = *crypto::generate_key("ec:P-256");
        auto idevid = brski::make_idevid(maker, key, serial, "", now());
        REQUIRE(idevid);
        return {{{*idevid, maker.ca}, key}};
    }
    Bytes request(const Pledge& pledge, const crypto::Certificate& seen) const
    {
        auto made = brski::sign_request(pledge.identity, seen, brski::Format::jws, now());
        REQUIRE(made);
        return made->octets;
    }
    Bytes request(const Pledge& pledge) const { return request(pledge, own.certificate); }

    static enrol::Peer peer(const std::vector<crypto::Certificate>& chain)
    {
        enrol::Peer peer;
        peer.certificates = chain;
        return peer;
    }
    std::future<registrar::Decision> ask(const Pledge& pledge, const Bytes& octets)
    {
        auto answer = std::make_shared<std::promise<registrar::Decision>>();
        registrar::VoucherRequested asked;
        asked.peer = peer(pledge.chain());
        asked.request = octets;
        asked.format = brski::Format::jws;
        asked.accept = brski::kJwsVoucher;
        subject->request_voucher(std::move(asked), [this, answer](registrar::Decision decision) {
            if (looks_when_answered) state_when_answered = state_on_disk();
            answer->set_value(std::move(decision));
        });
        return answer->get_future();
    }
    std::optional<enrol::Refused> objection(const enrol::Peer& asking) const
    {
        auto answer = std::make_shared<std::promise<std::optional<enrol::Refused>>>();
        subject->object(asking, [answer](std::optional<enrol::Refused> refused) {
            answer->set_value(std::move(refused));
        });
        return answer->get_future().get();
    }
    std::optional<registrar::Refused> tell(const std::vector<crypto::Certificate>& chain,
                                           registrar::StatusTold::Of of, bool good)
    {
        // Shared: set_value() may not have returned when the result is there.
        auto answer = std::make_shared<std::promise<std::optional<registrar::Refused>>>();
        registrar::StatusTold told;
        told.peer = peer(chain);
        told.of = of;
        told.status.status = good;
        subject->take_status(std::move(told), [answer](const std::optional<registrar::Refused>& said) {
            answer->set_value(said);
        });
        return answer->get_future().get();
    }

    /// What the MASA has to send: a voucher for the request in the question.
    registrar::MasaDocument voucher(const registrar::MasaQuestion& question,
                                    const std::string& nonce = {}) const
    {
        const auto asked =
            *brski::parse_voucher_request(*brski::unverified_content(question.request, brski::Format::jws));
        brski::Voucher voucher;
        voucher.assertion = "proximity";
        voucher.serial_number = asked.serial_number;
        voucher.nonce = nonce.empty() ? asked.nonce : nonce;
        voucher.created_on = asked.created_on;
        voucher.pinned_domain_cert = own.certificate.der();
        return {*brski::seal(brski::to_json(voucher), brski::Format::jws, maker.masa),
                std::string{brski::kJwsVoucher}};
    }
    /// An audit log with the request in the question, and with another domain's voucher if it is named.
    registrar::MasaDocument log(const registrar::MasaQuestion& question, const std::string& other = {}) const
    {
        const auto asked =
            *brski::parse_voucher_request(*brski::unverified_content(question.request, brski::Format::jws));
        brski::AuditLog log;
        log.events.push_back({now(), brski::domain_id(own.certificate), asked.nonce, "proximity"});
        if (!other.empty()) log.events.push_back({now(), other, brski::new_nonce(), "logged"});
        const auto text = brski::to_json(log);
        return {{text.begin(), text.end()}, "application/json"};
    }

    std::string state_on_disk() const
    {
        const auto rows = connect()->execute("SELECT state FROM brski_devices");
        return rows && !rows->empty() ? rows->front().front() : "none";
    }
    /// Waits until the only device is in a state.
    bool reaches(const std::string& state) const
    {
        return comes_true([&] { return state_on_disk() == state; });
    }
    bool has_event(const std::string& member, const base::Json& value)
    {
        const std::lock_guard lock{mutex};
        return std::any_of(events.begin(), events.end(), [&](const base::Json& event) {
            return event.contains(member) && event[member] == value;
        });
    }

    bool traces() const override { return keeps_messages; }
    void message(const base::Message& message) override
    {
        const std::lock_guard lock{mutex};
        messages.push_back(message);
    }
    void event(const base::Json& event) override
    {
        const std::lock_guard lock{mutex};
        events.push_back(event);
    }
    void enrol(enrol::EnrolRequest /*request*/, std::function<void(enrol::Decision)> done) override
    {
        ++enrolments;
        done(enrol::Issued{issued.certificate});
    }
    void csr_attributes(enrol::Peer /*peer*/, const std::string& /*label*/,
                        std::function<void(enrol::AttributesDecision)> done) override
    {
        if (unwelcome)
            done(*unwelcome);
        else {
            enrol::CsrAttributes welcome;
            welcome.authenticated = knows_device;
            done(welcome);
        }
    }
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string& /*label*/) override
    {
        return std::vector<crypto::Certificate>{};
    }

    std::string folder;
    std::atomic<std::int64_t> passed{0};
    brski::LabManufacturer maker;
    Identity own = make_identity("registrar");
    Identity issued = make_identity("new certificate");
    registrar::Options options;
    std::shared_ptr<MasaBoard> masa = std::make_shared<MasaBoard>();
    std::shared_ptr<store::GroupCommit> commits;
    std::unique_ptr<registrar::Registrar> subject;
    std::optional<enrol::Refused> unwelcome;
    bool knows_device = true;
    std::atomic<unsigned> enrolments{0};
    bool looks_when_answered = false;
    std::string state_when_answered;
    std::mutex mutex;
    std::vector<base::Json> events;
    bool keeps_messages = false;
    std::vector<base::Message> messages;
};

/// Holds up the store until it is destroyed or released.
class StoreHeld
{
public:
    explicit StoreHeld(store::GroupCommit& commits)
    {
        auto reached = std::make_shared<std::promise<void>>();
        commits.worker().post([gate = gate_, reached] {
            reached->set_value();
            gate->get_future().wait();
        });
        reached->get_future().wait();
    }
    ~StoreHeld() { release(); }
    StoreHeld(const StoreHeld&) = delete;
    StoreHeld& operator=(const StoreHeld&) = delete;
    void release()
    {
        if (!std::exchange(released_, true)) gate_->set_value();
    }

private:
    std::shared_ptr<std::promise<void>> gate_ = std::make_shared<std::promise<void>>();
    bool released_ = false;
};

} // namespace acmetool::test
