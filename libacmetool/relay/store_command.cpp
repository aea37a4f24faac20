#include "relay/store_command.h"

#include <filesystem>
#include <functional>

#include <fmt/core.h>

#include "base/text.h"
#include "ra/exclusion.h"
#include "ra/records.h"
#include "registrar/records.h"
#include "store/open_database.h"

namespace acmetool::relay
{
namespace
{

/// One transaction.
Result<void> change(store::Database& database, const std::function<Result<void>()>& what)
{
    ACMETOOL_CHECK(database.begin());
    auto done = what();
    if (done) done = database.commit();
    if (!done) database.rollback();
    return done;
}

Result<void> prepare(store::Database& database)
{
    auto prepared = change(database, [&]() -> Result<void> {
        ACMETOOL_CHECK(ra::Records::prepare(database));
        return registrar::Records::prepare(database);
    });
    if (!prepared) return prepared;
    // Afterwards, since relays of the version before go on; those that they placed since the last upgrade,
    // too.
    return ra::Records::number_orders(database);
}

/// Whoever writes orders writes what an upgrade adds, too.
Result<void> grant_new_tables(store::Database& database)
{
    ACMETOOL_TRY(roles, database.execute("SELECT DISTINCT quote_ident(grantee) FROM "
                                         "information_schema.role_table_grants WHERE table_schema = "
                                         "current_schema() AND table_name = 'orders' AND privilege_type = "
                                         "'INSERT' AND grantee NOT IN (current_user, 'PUBLIC')"));
    for (const auto& role : roles)
        ACMETOOL_CHECK(database.execute(
            fmt::format("GRANT SELECT, INSERT, UPDATE, DELETE ON events, inventory, inventory_state TO {}",
                        role.front())));
    return {};
}

/// An identifier of SQL that needs no quotes.
bool is_plain(const std::string& role)
{
    return !role.empty() && role.size() <= 63 && (role.front() < '0' || role.front() > '9') &&
           role.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

} // namespace

Result<void> init_store(const Config& config)
{
    if (!config.ra.store.is_shared()) {
        ACMETOOL_TRY(made, ra::Records::open(config.ra.store));
        registrar::Records records{*made};
        return config.brski.manufacturers.empty() ? Result<void>{} : records.create();
    }
    ACMETOOL_TRY(database, store::open_database(config.ra.store));
    return prepare(*database);
}

Result<void> upgrade_store(const Config& config)
{
    if (!config.ra.store.is_shared()) return init_store(config); // a relay does so when it starts
    ACMETOOL_TRY(database, store::open_database(config.ra.store));
    ACMETOOL_TRY(version, database->version());
    if (version == 0)
        return fail(Errc::config, fmt::format("database {}: there are no tables", database->id()),
                    "create them with store init", "noStore");
    ACMETOOL_CHECK(prepare(*database));
    return grant_new_tables(*database);
}

Result<StoreStatus> store_status(const Config& config)
{
    const auto& options = config.ra.store;
    ACMETOOL_TRY(database, ra::open_existing(options));
    ra::Records records{*database};
    StoreStatus status;
    status.id = options.is_shared() ? database->id() : options.sqlite;
    ACMETOOL_TRY(version, database->version());
    status.version = version;
    ACMETOOL_TRY(certificates, records.count_certificates());
    status.certificates = certificates;
    ACMETOOL_TRY(orders, records.count_orders());
    status.orders_under_way = orders[ra::OrderState::intent] + orders[ra::OrderState::placed];
    if (options.is_shared()) {
        ACMETOOL_TRY(relays, store::Members{*database}.all());
        status.relays = std::move(relays);
    }
    return status;
}

Result<std::uint64_t> copy_store(const Config& config, const std::string& file, base::Context& context)
{
    if (!config.ra.store.is_shared())
        return fail(Errc::config, "the store of the configuration is a file", "set postgresql in [store]",
                    "badConfig");
    if (!std::filesystem::exists(file))
        return fail(Errc::bad_input, fmt::format("{}: there is no such file", file), {}, "noStore");
    const auto lock = ra::lock_store(file, context);
    if (!lock) return fail(lock.error());
    store::Options former;
    former.sqlite = file;
    ACMETOOL_TRY(from, ra::Records::open(former)); // which brings it up to date
    ACMETOOL_CHECK(registrar::Records{*from}.create());
    ACMETOOL_TRY(to, ra::Records::open(config.ra.store));
    std::uint64_t copied = 0;
    ACMETOOL_CHECK(change(*to, [&]() -> Result<void> {
        ACMETOOL_TRY(rows, ra::Records::copy(*from, *to));
        ACMETOOL_TRY(more, registrar::Records::copy(*from, *to));
        copied = rows + more;
        return {};
    }));
    return copied;
}

Result<std::string> store_grants(const std::string& role)
{
    if (!is_plain(role))
        return fail(Errc::bad_input, fmt::format("{} cannot be a role here", base::printable(role, 60)),
                    "use lower-case letters, digits and underscores", "badRole");
    // No CREATE, no TRUNCATE, and nothing of other schemas.
    std::string text = fmt::format("GRANT USAGE ON SCHEMA public TO {};\n", role);
    for (const auto* table : {"orders", "certificates", "revoked", "blocked", "names", "former_ids",
                              "intermediates", "spent", "events", "inventory", "inventory_state", "leases",
                              "members", "store_commits", "brski_devices", "brski_nonces"})
        text += fmt::format("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {};\n", table, role);
    text += fmt::format(
        "GRANT SELECT, UPDATE ON store_schema TO {0};\nGRANT SELECT ON brski_schema TO {0};\n", role);
    return text;
}

} // namespace acmetool::relay
