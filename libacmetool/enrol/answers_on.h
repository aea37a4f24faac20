#pragma once

#include <memory>
#include <thread>
#include <utility>

#include "base/executor.h"
#include "enrol/registration_authority.h"
#include "enrol/voucher_authority.h"

namespace acmetool::enrol
{

/// A registration authority whose answers come on the asker's executor, or at once on the thread that asks,
/// so that a protocol's work on an answer (cryptography, encoding) does not delay the next commit; what is
/// left to be done for a request goes on there, too. Nothing is answered once the executor is destroyed.
class AnswersOn final : public RegistrationAuthority
{
public:
    /// `authority` is not owned.
    AnswersOn(std::weak_ptr<base::Executor> executor, RegistrationAuthority& authority)
        : executor_(std::move(executor)), authority_(authority)
    {
    }

    void enrol(EnrolRequest request, std::function<void(Decision)> done) override
    {
        request.peer.executor = executor_;
        authority_.enrol(std::move(request), base::bind(executor_, std::move(done)));
    }
    void csr_attributes(Peer peer, const std::string& label,
                        std::function<void(AttributesDecision)> done) override
    {
        peer.executor = executor_;
        // To wake another thread with what is known already takes longer than most of these answers.
        authority_.csr_attributes(std::move(peer), label,
                                  [asker = std::this_thread::get_id(), later = base::bind(executor_, done),
                                   done](AttributesDecision decision) {
                                      if (std::this_thread::get_id() == asker)
                                          done(std::move(decision));
                                      else
                                          later(std::move(decision));
                                  });
    }
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string& label) override
    {
        return authority_.ca_certificates(label);
    }

private:
    std::weak_ptr<base::Executor> executor_;
    RegistrationAuthority& authority_;
};

/// The same for the registrar.
class VouchersOn final : public VoucherAuthority
{
public:
    /// `authority` is not owned.
    VouchersOn(std::weak_ptr<base::Executor> executor, VoucherAuthority& authority)
        : executor_(std::move(executor)), authority_(authority)
    {
    }

    bool wants_voucher(const Peer& peer) const override { return authority_.wants_voucher(peer); }
    void request_voucher(VoucherRequest request, std::function<void(VoucherDecision)> done) override
    {
        authority_.request_voucher(std::move(request), base::bind(executor_, std::move(done)));
    }
    void voucher_status(const Peer& peer, bool good, const std::string& reason) override
    {
        authority_.voucher_status(peer, good, reason);
    }

private:
    std::weak_ptr<base::Executor> executor_;
    VoucherAuthority& authority_;
};

} // namespace acmetool::enrol
