#include <doctest/doctest.h>

#include "base/csv.h"
#include "base/text.h"

using namespace acmetool;
using namespace std::string_literals;

namespace
{

std::vector<std::string> csv_read(std::string_view line)
{
    const auto fields = base::csv_fields(line);
    REQUIRE(fields);
    return *fields;
}

} // namespace

TEST_CASE("OPR-52: fields of a line with and without quotes; malformed quoting is an error")
{
    using Fields = std::vector<std::string>;
    CHECK(csv_read("SN-1,label,a.example,b.example") == Fields{"SN-1", "label", "a.example", "b.example"});
    CHECK(csv_read(" SN-1 ,, x\r") == Fields{"SN-1", "", "x"});
    CHECK(csv_read("").size() == 1);
    CHECK(csv_read("SN-1,") == Fields{"SN-1", ""});
    CHECK(csv_read("\"SN-1\",\"\",\"a.example\"") == Fields{"SN-1", "", "a.example"});
    CHECK(csv_read(" \"SN,1\" , \" a\"\r") == Fields{"SN,1", " a"});
    CHECK(csv_read(R"("12"" rack","""")") == Fields{"12\" rack", "\""});
    CHECK(csv_read("12\" rack,x") == Fields{"12\" rack", "x"});
    for (const auto& line :
         {"\"SN-1"s, "\"SN-1,label"s, "SN-1,\""s, "\"SN\"-1"s, "\"a\"\"b\"c"s, "S\0N\0"s}) {
        CAPTURE(line);
        const auto fields = base::csv_fields(line);
        REQUIRE(!fields);
        CHECK(fields.error().code == Errc::bad_input);
        CHECK(!fields.error().hint.empty());
    }
}

TEST_CASE("OPR-52: a comment begins with # at the beginning or behind a blank, outside quotes")
{
    using Fields = std::vector<std::string>;
    CHECK(csv_read("SN#1,a#b ,#c # d, \"e\"") == Fields{"SN#1", "a#b", "#c"});
    CHECK(csv_read("\"SN #1\" # \"d, e") == Fields{"SN #1"});
    CHECK(csv_read("SN-1,\t# d") == Fields{"SN-1", ""});
    CHECK(csv_read("# d, e") == Fields{""});
    CHECK(!base::csv_fields("\"SN\"#1"));
}

TEST_CASE(
    "OPR-52: semicolons separate the fields if the heading has them; without a heading they are an error")
{
    using Fields = std::vector<std::string>;
    const auto read = [](base::CsvList& list, std::string_view line) {
        auto fields = list.read(line);
        return fields ? fields->value_or(Fields{}) : Fields{fields.error().message};
    };
    const Fields none;
    for (const auto* heading : {"Serial;Label", "\"SERIAL\";\"label\"", "serial;", "  serial ; x # y, z"}) {
        CAPTURE(heading);
        base::CsvList list;
        CHECK(read(list, "# serial,label") == none);
        CHECK(read(list, heading) == none);
        CHECK(read(list, "SN-1;a,b;\"c;d\"\r") == Fields{"SN-1", "a,b", "c;d"});
        CHECK(read(list, ";;\r") == none);
        CHECK(read(list, "serial;label") == Fields{"serial", "label"});
    }
    base::CsvList commas;
    CHECK(read(commas, "serial,label") == none);
    CHECK(read(commas, "SN;1,a") == Fields{"SN;1", "a"});
    for (const auto* first : {"serial", "SN-0"}) {
        CAPTURE(first);
        base::CsvList unknown;
        read(unknown, first);
        CHECK(read(unknown, "SN-1;a") == Fields{"a semicolon outside double quotes"});
        CHECK(read(unknown, "\"SN;1\",a # x; y") == Fields{"SN;1", "a"});
    }
    base::CsvList without{false};
    CHECK(read(without, "serial,label") == Fields{"serial", "label"});
}

TEST_CASE("OPR-52: a field that was written is read again; a byte order mark is dropped once")
{
    for (const auto& field :
         {"SN-1"s, ""s, "a,b"s, "\"x\""s, "12\" rack"s, " a "s, "#1"s, "SN #1"s, "a;b"s, "SN#1"s}) {
        CAPTURE(field);
        const auto line = base::to_csv_field(field) + "," + base::to_csv_field(field);
        CHECK(!line.starts_with('#'));
        CHECK(csv_read(line) == std::vector<std::string>{field, field});
    }
    for (const auto* field : {"SN 1", "SN#1", "12\" rack"})
        CHECK(base::to_csv_field(field) == field);
    CHECK(base::without_byte_order_mark("\xEF\xBB\xBF\xEF\xBB\xBFx") == "\xEF\xBB\xBFx");
    CHECK(base::without_byte_order_mark("x\xEF\xBB\xBF") == "x\xEF\xBB\xBF");
    CHECK(base::without_byte_order_mark("\xEF\xBB").size() == 2);
}
