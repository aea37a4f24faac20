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
    const auto all = records.find("revocation", "", "");
    if (!all) return answer(*pending, broken(all.error()));
    std::vector<Authority::Revoked> revoked;
    for (const auto& [id, object] : *all)
        revoked.push_back({object.at("serial").get<std::string>(), time_of(object, "revoked"),
                           object.at("reason").get<int>()});
    sign_crl(pending, std::move(revoked));
}

void Service::Impl::sign_crl(const PendingPtr& pending, std::vector<Authority::Revoked> revoked)
{
    const auto readers = std::make_shared<CrlReaders>(CrlReaders{pending});
    const bool taken = pool.post([this, readers, revoked = std::move(revoked), time = now()] {
        auto der = authority.crl(revoked, time);
        commits.worker().post([this, readers, der = std::move(der), time] { take_crl(readers, der, time); });
    });
    if (!taken) return answer(*pending, overloaded());
    crl_readers = readers;
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
