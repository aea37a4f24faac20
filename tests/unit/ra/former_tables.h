#pragma once

#include <doctest/doctest.h>

#include "store/database.h"

namespace acmetool::test
{

/// Makes the tables those of version 7 and before, whose orders have no numbers.
inline void remove_numbers(store::Database& database)
{
    for (const auto* sql :
         {"DROP INDEX orders_device", "DROP INDEX orders_unnumbered", "ALTER TABLE orders DROP COLUMN number",
          "CREATE INDEX orders_device ON orders (device, created, id, state, until)"})
        REQUIRE(database.execute(sql));
}

} // namespace acmetool::test
