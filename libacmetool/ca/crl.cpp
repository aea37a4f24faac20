#include "ca/service_impl.h"

#include "base/bytes.h"

namespace acmetool::ca
{
namespace
{

ServerResponse crl_response(std::string der)
{
    return {200, {{"Content-Type", "application/pkix-crl"}}, std::move(der), false};
}

} // namespace

void Service::Impl::give_crl(const PendingPtr& pending)
{
    if (signed_crl && now() < signed_crl->fresh_until) return answer(*pending, crl_response(signed_crl->der));
    if (crl_readers) {
        crl_readers->push_back(pending);
        return;
    }
    crl_readers = std::make_shared<CrlReaders>(CrlReaders{pending});
    start_crl(crl_readers);
}

void Service::Impl::start_crl(const std::shared_ptr<CrlReaders>& readers)
{
    constexpr std::chrono::milliseconds kLookAgain{20};
    if (faults.value("crlHold")) {
        commits.worker().at(base::Worker::Clock::now() + kLookAgain, [this, readers] { start_crl(readers); });
        return;
    }
    const bool taken = pool.post([this, readers, time = now()] {
        auto der = make_crl(time);
        commits.worker().post([this, readers, der = std::move(der), time] { take_crl(readers, der, time); });
    });
    if (taken) return;
    if (crl_readers == readers) crl_readers.reset();
    for (const auto& reader : *readers)
        answer(*reader, overloaded());
}

Result<Bytes> Service::Impl::make_crl(base::TimePoint time) const
{
    ACMETOOL_TRY(reader, database.reopen());
    std::vector<Authority::Revoked> revoked;
    ACMETOOL_CHECK(
        Records{*reader}.each("revocation", [&](const std::string&, const Json& object) -> Result<void> {
            revoked.push_back({object.at("serial").get<std::string>(), time_of(object, "revoked"),
                               object.at("reason").get<int>()});
            return {};
        }));
    return authority.crl(revoked, time);
}

void Service::Impl::take_crl(const std::shared_ptr<CrlReaders>& readers, const Result<Bytes>& der,
                             base::TimePoint made)
{
    // After a revocation, this CRL answers only those who asked before it.
    if (crl_readers == readers) {
        crl_readers.reset();
        if (der) signed_crl = SignedCrl{std::string{as_text(*der)}, made + Authority::kCrlLifetime / 2};
    }
    for (const auto& reader : *readers) {
        if (der)
            answer(*reader, crl_response(std::string{as_text(*der)}));
        else
            answer(*reader, broken(der.error()));
    }
}

void Service::Impl::forget_crl()
{
    signed_crl.reset();
    crl_readers.reset();
}

} // namespace acmetool::ca
