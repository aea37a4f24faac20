#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "dns/service.h"

using namespace acmetool;
using dns::Record;
using dns::Type;

namespace
{

const std::string kService = "_brski-registrar._tcp.example.com";

struct Listener final : base::Context {
    std::string said;
    void log(base::Level, std::string_view text) override { said += std::string{text} + "\n"; }
};

/// A zone, and what was asked of it.
struct Zone {
    std::vector<Record> records;
    std::set<std::string> silent; ///< names for which there is no answer
    unsigned lookups = 0;
    Listener listener;

    void add(const std::string& owner, Type type, const std::string& data)
    {
        records.push_back({owner, type, data});
    }
    void add_instance(const std::string& name, const std::string& srv)
    {
        add(kService, Type::ptr, name + "." + kService);
        add(name + "." + kService, Type::srv, srv);
    }
    Result<std::vector<dns::Service>> find()
    {
        const dns::Lookup lookup = [this](const std::string& name, Type type) -> Result<std::vector<Record>> {
            ++lookups;
            if (silent.contains(name)) return fail(Errc::unavailable, "no answer", {}, "dnsTimeout");
            std::vector<Record> found;
            std::copy_if(records.begin(), records.end(), std::back_inserter(found),
                         [&](const Record& record) { return record.owner == name && record.type == type; });
            return found;
        };
        return dns::find_services(kService, lookup, listener);
    }
    std::string hosts()
    {
        std::string text;
        const auto services = find();
        if (!services) return services.error().message;
        for (const auto& service : *services)
            text += service.host + " ";
        return text;
    }
};

} // namespace

TEST_CASE("DISC-01a: services by priority; link-local addresses first, IPv4 last")
{
    Zone zone;
    zone.add_instance("backup", "10 0 8444 b.example.com");
    zone.add_instance("main", "5 0 8443 a.example.com");
    zone.add("a.example.com", Type::a, "192.0.2.1");
    zone.add("a.example.com", Type::aaaa, "2001:db8::1");
    zone.add("a.example.com", Type::aaaa, "fe80::1");
    zone.add("b.example.com", Type::a, "10.0.0.1");
    const auto services = *zone.find();
    REQUIRE(services.size() == 2);
    CHECK(services[0].instance == "main." + kService);
    CHECK(services[0].host == "a.example.com");
    CHECK(services[0].port == 8443);
    CHECK(services[0].addresses == std::vector<std::string>{"fe80::1", "2001:db8::1", "192.0.2.1"});
    CHECK(services[1].port == 8444);
    CHECK(services[1].addresses == std::vector<std::string>{"10.0.0.1"});
    CHECK(zone.listener.said.empty());
}

TEST_CASE("DISC-01a: of one priority each service comes first at times, the heavier more often")
{
    Zone zone;
    zone.add_instance("light", "1 1 1 l.example.com");
    zone.add_instance("heavy", "1 9 1 h.example.com");
    zone.add("l.example.com", Type::a, "192.0.2.1");
    zone.add("h.example.com", Type::a, "192.0.2.2");
    unsigned heavy_first = 0;
    constexpr unsigned kRuns = 1000;
    for (unsigned i = 0; i < kRuns; ++i)
        if (zone.hosts() == "h.example.com l.example.com ") ++heavy_first;
    CHECK(heavy_first > kRuns / 2);
    CHECK(heavy_first < kRuns);
}

TEST_CASE("FLD-E16: hostile answers: instances elsewhere, no target, addresses of this host and of groups")
{
    Zone zone;
    zone.add("a.example.com", Type::a, "192.0.2.1");
    zone.add(kService, Type::ptr, "x._brski-registrar._tcp.evil.example");
    zone.add("x._brski-registrar._tcp.evil.example", Type::srv, "0 0 1 a.example.com");
    zone.add(kService, Type::ptr, kService);
    zone.add_instance("no port", "0 0 0 a.example.com");
    zone.add_instance("no host", "0 0 1 .");
    zone.add_instance("malformed", "0 0 a.example.com");
    zone.add_instance("numbers", "0 0 65536 a.example.com");
    zone.add_instance("nowhere", "0 0 1 n.example.com");
    zone.add(kService, Type::ptr, "no-srv." + kService);
    zone.add_instance("inside", "0 0 1 in.example.com");
    for (const auto* address : {"127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"})
        zone.add("in.example.com", Type::a, address);
    for (const auto* address : {"::1", "::", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "junk"})
        zone.add("in.example.com", Type::aaaa, address);
    CHECK(zone.hosts().empty());
    for (const auto* words :
         {"evil.example is ignored", "the address 127.0.0.1 is ignored", "the address ::1 is ignored",
          "no-srv._brski-registrar._tcp.example.com is ignored: it has no SRV record",
          "n.example.com has no address",
          "no host._brski-registrar._tcp.example.com is ignored: it is not available"})
        CHECK_MESSAGE(zone.listener.said.find(words) != std::string::npos, words);
    zone.add_instance("good", "9 0 1 a.example.com");
    CHECK(zone.hosts() == "a.example.com ");
}

TEST_CASE("FLD-E16: many instances and addresses are cut; who falls silent is not asked for each of them")
{
    Zone zone;
    for (int i = 0; i < 300; ++i) {
        zone.add_instance(std::to_string(i), "0 0 1 a.example.com");
        zone.add("a.example.com", Type::a, "192.0.2." + std::to_string(i % 256));
    }
    const auto services = *zone.find();
    CHECK(services.size() == 16);
    CHECK(services.front().addresses.size() == 8);
    zone.lookups = 0;
    zone.silent = {"a.example.com"};
    CHECK(zone.hosts() == "no answer");
    CHECK(zone.lookups == 3);
    zone.silent = {kService};
    CHECK(zone.find().error().reason.word() == "dnsTimeout");
    zone.silent = {"1." + kService};
    CHECK(zone.hosts() == "a.example.com ");
}
