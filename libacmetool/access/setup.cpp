#include "access/setup.h"

#include <algorithm>

#include "base/text.h"
#include "net/address_range.h"
#include "store/atomic_file.h"

namespace acmetool::access
{
namespace
{

Result<NasClient> read_client(const Client& from, const std::shared_ptr<const teap::ServerSettings>& usual)
{
    const auto wrong = [&](Error error) {
        error.code = Errc::config;
        error.reason = "badConfig";
        return fail(with_context(std::move(error), "[[client]] " + base::printable(from.address, 60)));
    };
    NasClient client;
    auto addresses = net::AddressRange::parse(from.address);
    if (!addresses) return wrong(std::move(addresses).error());
    client.addresses = *addresses;
    auto text = store::read_file(from.secret_file);
    if (!text) return wrong(std::move(text).error());
    while (text->ends_with('\n') || text->ends_with('\r'))
        text->pop_back();
    if (text->empty()) return fail(Errc::config, from.secret_file + " holds no secret", {}, "badConfig");
    client.secret = std::make_shared<base::Secret>(std::move(*text));
    client.settings = usual;
    if (from.kdf) {
        auto own = std::make_shared<teap::ServerSettings>(*usual);
        own->kdf = from.kdf;
        client.settings = std::move(own);
    }
    return client;
}

} // namespace

const NasClient* Setup::client_at(const std::string& address) const
{
    const auto found = std::find_if(clients.begin(), clients.end(),
                                    [&](const NasClient& one) { return one.addresses.contains(address); });
    return found == clients.end() ? nullptr : &*found;
}

Result<std::shared_ptr<const Setup>> read_setup(Options config, crypto::TlsContext context)
{
    auto setup = std::make_shared<Setup>(Setup{std::move(config), std::move(context), {}});
    const auto usual = std::make_shared<const teap::ServerSettings>(setup->config.settings);
    for (const auto& one : setup->config.clients) {
        ACMETOOL_TRY(client, read_client(one, usual));
        setup->clients.push_back(std::move(client));
    }
    std::stable_sort(
        setup->clients.begin(), setup->clients.end(),
        [](const NasClient& a, const NasClient& b) { return a.addresses.length() > b.addresses.length(); });
    return std::shared_ptr<const Setup>{std::move(setup)};
}

} // namespace acmetool::access
