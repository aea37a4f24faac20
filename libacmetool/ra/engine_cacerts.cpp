#include <algorithm>

#include <fmt/core.h>

#include "crypto/csr.h"
#include "crypto/digest.h"
#include "crypto/key_type.h"
#include "crypto/path.h"
#include "dns/name.h"
#include "ra/engine_impl.h"
#include "ra/policy.h"

namespace acmetool::ra
{
namespace
{

using enrol::Decision;

/// The relay as the owner of its order. No device has such an identifier.
constexpr const char* kOwnDevice = "relay:cacerts";

std::string own_order_id(const std::string& name)
{
    return to_hex(crypto::sha256(as_bytes(fmt::format("{} {}", kOwnDevice, name))));
}

} // namespace

bool Engine::knows_issuer()
{
    if (impl_->ca_set.intermediates() > 0) return true;
    const auto last = last_issued();
    return last && impl_->ca_set.has_issuer_of(*last);
}

std::optional<crypto::Certificate> Engine::last_issued()
{
    const std::lock_guard guard{impl_->reader_mutex};
    const auto row = Records{*impl_->reader}.latest_certificate();
    if (!row || !*row) return std::nullopt;
    const auto parsed = crypto::parse_certificates(as_text((*row)->der), "certificate");
    return parsed ? std::optional{parsed->front()} : std::nullopt;
}

Result<void> Engine::learn(const std::vector<crypto::Certificate>& chain)
{
    ACMETOOL_TRY(path, impl_->ca_set.path_of(chain, impl_->now()));
    path.erase(path.begin());
    std::erase_if(path, crypto::is_self_signed);
    const auto keep = [&](Records& records) -> Result<void> {
        for (const auto& one : path)
            ACMETOOL_CHECK(
                records.keep_intermediate(one.der(), to_hex(one.sha256()), chain.front().not_after()));
        return {};
    };
    ACMETOOL_CHECK(impl_->change(keep));
    const std::lock_guard guard{impl_->reader_mutex};
    ACMETOOL_TRY(ders, Records{*impl_->reader}.intermediates());
    impl_->ca_set.set_intermediates(ders, impl_->now());
    return {};
}

/// The row of a new order, or of one that goes on with what is at the CA, as for devices.
Result<OrderRow> Engine::Impl::own_order(Records& records, std::optional<OrderRow> old) const
{
    if (old && old->state == OrderState::failed && (old->unsure || !old->url.empty())) {
        old->state = old->url.empty() ? OrderState::intent : OrderState::placed;
        old->created = now();
        old->owner = member.run;
        return std::move(*old);
    }
    const auto options = settings();
    const auto& name = options->cacerts.order;
    const auto domain = std::find_if(options->domains.begin(), options->domains.end(),
                                     [&](const auto& one) { return dns::is_subdomain_of(name, one.name); });
    if (domain == options->domains.end())
        return fail(Errc::config, fmt::format("order in [cacerts]: {} is below no [[domain]]", name));
    ACMETOOL_TRY(owner, records.bind_name(name, kOwnDevice, domain->name));
    if (owner != kOwnDevice)
        return fail(Errc::config,
                    fmt::format("order in [cacerts]: {} is the name of the device {}", name, owner),
                    "choose a name that no device has");
    ACMETOOL_TRY(key, crypto::generate_key(crypto::kDefaultKeyType));
    crypto::CsrOptions wanted;
    wanted.identifiers = {{"dns", name}};
    ACMETOOL_TRY(csr, crypto::build_csr(key, wanted));
    OrderRow row;
    row.id = own_order_id(name);
    row.generation = old ? old->generation : 0;
    row.owner = member.run;
    row.device.id = kOwnDevice;
    row.domain = domain->name;
    row.identifiers = csr.identifiers;
    row.csr = csr.der;
    row.request_id = "cacerts";
    row.created = now();
    return row;
}

void Engine::Impl::order_own(std::function<void(const Decision&)> done)
{
    auto waiter = std::make_shared<Waiter>();
    waiter->order_id = own_order_id(settings()->cacerts.order);
    waiter->pending = enrol::Pending{settings()->retry_after};
    waiter->answer = done;
    const auto refuse = [done](std::string why) {
        done(refusal(enrol::Ground::order_failed, std::move(why)));
    };
    const bool taken = commits->post(
        {[this, waiter, refuse](store::Database& database, store::GroupCommit::After& after) -> Result<void> {
             Records records{database};
             ACMETOOL_TRY(old, records.order(waiter->order_id));
             const bool runs = old && (old->state == OrderState::intent || old->state == OrderState::placed);
             if (old && old->state == OrderState::failed && old->until > now()) {
                 after.push_back([refuse, failure = old->failure] { refuse(failure.text); });
                 return {};
             }
             std::optional<IssuerOrder> begins;
             if (runs && old->owner != member.run) ACMETOOL_CHECK(records.watch(old->id));
             if (!runs) { // what runs was resumed at the start
                 const bool goes_on = old && old->state == OrderState::failed && old->unsure;
                 const auto row = own_order(records, std::move(old));
                 if (!row) {
                     after.push_back([refuse, why = row.error().message] { refuse(why); });
                     return {};
                 }
                 ACMETOOL_CHECK(records.put(*row));
                 begins = IssuerOrder{row->id,        row->identifiers, row->domain,
                                      row->profile,   row->url,         goes_on && row->url.empty(),
                                      row->request_id};
             }
             after.push_back([this, waiter, begins = std::move(begins)] {
                 waiters.emplace(waiter->order_id, waiter);
                 if (begins) start(*begins, "orders_started");
             });
             return {};
         },
         [refuse](const Error& error) { refuse(error.message); }});
    if (!taken) refuse("too many requests are waiting");
}

void Engine::order_own(std::function<void(const Decision&)> done)
{
    impl_->order_own(std::move(done));
}

} // namespace acmetool::ra
