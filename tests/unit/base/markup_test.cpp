#include <doctest/doctest.h>

#include "base/markup.h"

using namespace acmetool;

TEST_CASE(
    "OPR-31: markup: the five characters are escaped, and what steers a terminal or is no XML is replaced")
{
    CHECK(base::escape_markup("<a href=\"x\" b='y'>&amp;</a>") ==
          "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
    CHECK(base::escape_markup("\x1b[31m\x7f\nx") == "?[31m? x");
    CHECK(base::escape_markup("a\xE2\x80\xAE"
                              "b\xFF") == "a???b?"); // right-to-left override; no UTF-8
    CHECK(base::escape_markup("\xEF\xBF\xBE\xEF\xBF\xBF\xEF\xBF\xBD") == "??\xEF\xBF\xBD");
    CHECK(base::escape_markup("M\xC3\xBCller \xE2\x82\xAC") == "M\xC3\xBCller \xE2\x82\xAC");
    CHECK(base::escape_markup(std::string(2000, 'x')).size() == 2000);
    CHECK(base::escape_markup("").empty());
}
