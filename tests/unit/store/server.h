#pragma once

#include <cstdlib>
#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "store/postgresql.h"

/// A new database of the PostgreSQL server that tests/lib/with-postgresql has started.
namespace acmetool::test
{

/// Nothing, and a message, if there is no server.
inline std::optional<store::Options> new_database(const std::string& name)
{
    const char* const server = std::getenv("ACMETOOL_POSTGRESQL");
    if (server == nullptr) {
        MESSAGE("skipped: no ACMETOOL_POSTGRESQL; run it by tests/lib/with-postgresql");
        return std::nullopt;
    }
    store::Options options;
    options.postgresql = std::string{server} + " dbname=postgres";
    options.instance = "test";
    const auto all = *store::Postgresql::open(options);
    REQUIRE(all->execute("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"));
    REQUIRE(all->execute("CREATE DATABASE " + name));
    options.postgresql = std::string{server} + " dbname=" + name;
    return options;
}

} // namespace acmetool::test
