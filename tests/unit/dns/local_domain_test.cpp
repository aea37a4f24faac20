#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "dns/local_domain.h"

using namespace acmetool;
namespace fs = std::filesystem;

namespace
{

/// A root directory with files of our own in it.
class Root
{
public:
    Root()
    {
        std::string pattern = (fs::temp_directory_path() / "acmetool-test-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;
    ~Root() { fs::remove_all(path_); }

    void put(const std::string& file, const std::string& text, int minutes_old = 0) const
    {
        const auto path = path_ + file;
        fs::create_directories(fs::path{path}.parent_path());
        std::ofstream{path} << text;
        fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::minutes{minutes_old});
    }
    std::string found() const
    {
        const auto domain = dns::local_domain(path_);
        return domain ? domain->name + " " + domain->source : domain.error().reason.word();
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

} // namespace

TEST_CASE("CSR-15d: the domain comes from DHCP leases, newest first, then from the resolver's search list")
{
    const Root root;
    CHECK(root.found() == "noLocalDomain");
    root.put("/etc/resolv.conf",
             "# search no.example\nnameserver 192.0.2.1\nsearch . Search.Example other.example\n");
    CHECK(root.found() == "search.example the resolver's search list (" + root.path() + "/etc/resolv.conf)");

    root.put("/var/lib/dhcp/dhclient.eth0.leases",
             "lease {\n  option domain-name \"old.example\";\n}\nlease {\n  option domain-name "
             "\"new.example\";\n}\n",
             2);
    CHECK(root.found() ==
          "new.example DHCP option 15 (" + root.path() + "/var/lib/dhcp/dhclient.eth0.leases)");
    root.put("/run/systemd/netif/leases/2", "ADDRESS=192.0.2.9\nDOMAINNAME=lab.example\n", 1);
    CHECK(root.found() == "lab.example DHCP option 15 (" + root.path() + "/run/systemd/netif/leases/2)");
}

TEST_CASE("CSR-15d: what is no domain name in a lease is passed over")
{
    const Root root;
    root.put("/run/systemd/netif/leases/2", "DOMAINNAME=-bad-.example\nDOMAINNAME=\n");
    root.put("/var/lib/dhcp/dhclient.leases",
             "option domain-name evil.example;\noption domain-name \"a b\nx");
    root.put("/etc/resolv.conf", "domain first.example\nsearch\n");
    CHECK(root.found() == "noLocalDomain"); // the last of "domain" and "search" counts
    root.put("/etc/resolv.conf", "search first.example\ndomain last.example\n");
    CHECK(root.found().starts_with("last.example "));
}
