#include "dns/local_domain.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "base/text.h"
#include "dns/name.h"

namespace acmetool::dns
{
namespace
{

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kLeaseDirectories{
    "/run/systemd/netif/leases", "/var/lib/NetworkManager", "/var/lib/dhcp", "/var/lib/dhclient"};
constexpr std::size_t kMostLines = 100'000;

/// The words of a line, separated by spaces and tabs.
std::vector<std::string_view> words_of(std::string_view line)
{
    std::vector<std::string_view> words;
    for (auto word : base::split(line, ' '))
        for (const auto part : base::split(word, '\t'))
            if (!part.empty()) words.push_back(part);
    return words;
}

/// The value of option 15 on one line of a lease: DOMAINNAME=example.com (systemd-networkd, NetworkManager),
/// or option domain-name "example.com"; (dhclient).
std::string_view domain_in(std::string_view line)
{
    line = base::trim(line);
    constexpr std::string_view kNetworkd = "DOMAINNAME=";
    constexpr std::string_view kDhclient = "option domain-name ";
    if (line.starts_with(kNetworkd)) return line.substr(kNetworkd.size());
    if (!line.starts_with(kDhclient)) return {};
    line = base::trim(line.substr(kDhclient.size()));
    if (line.ends_with(';')) line.remove_suffix(1);
    if (line.size() < 2 || !line.starts_with('"') || !line.ends_with('"')) return {};
    return line.substr(1, line.size() - 2);
}

/// The first word that is a domain name.
std::optional<std::string> usable(std::string_view names)
{
    for (const auto word : words_of(names))
        if (auto name = normalize_name(word)) return std::move(*name);
    return std::nullopt;
}

std::optional<std::string> last_domain_of(const fs::path& file)
{
    std::ifstream in{file};
    std::optional<std::string> found;
    std::string line;
    for (std::size_t count = 0; count < kMostLines && std::getline(in, line); ++count)
        if (auto name = usable(domain_in(line))) found = std::move(name);
    return found;
}

/// The files of all lease directories, newest first.
std::vector<fs::path> lease_files(const std::string& root)
{
    std::vector<std::pair<fs::file_time_type, fs::path>> found;
    for (const auto directory : kLeaseDirectories) {
        std::error_code error;
        for (fs::directory_iterator at{root + std::string{directory}, error}, end; !error && at != end;
             at.increment(error)) {
            std::error_code ignored;
            if (at->is_regular_file(ignored)) found.emplace_back(at->last_write_time(ignored), at->path());
        }
    }
    std::sort(found.rbegin(), found.rend());
    std::vector<fs::path> files;
    files.reserve(found.size());
    for (auto& [time, path] : found)
        files.push_back(std::move(path));
    return files;
}

/// resolv.conf(5): the last one of "search" and "domain" applies.
std::optional<std::string> search_domain(const fs::path& file)
{
    std::ifstream in{file};
    std::optional<std::string> found;
    std::string line;
    for (std::size_t count = 0; count < kMostLines && std::getline(in, line); ++count) {
        const auto words = words_of(base::trim(line));
        if (words.empty() || (words[0] != "search" && words[0] != "domain")) continue;
        found = usable(base::trim(line).substr(words[0].size()));
    }
    return found;
}

} // namespace

Result<LocalDomain> local_domain(const std::string& root)
{
    for (const auto& file : lease_files(root))
        if (auto name = last_domain_of(file))
            return LocalDomain{std::move(*name), fmt::format("DHCP option 15 ({})", file.string())};
    const auto resolver = root + "/etc/resolv.conf";
    if (auto name = search_domain(resolver))
        return LocalDomain{std::move(*name), fmt::format("the resolver's search list ({})", resolver)};
    return fail(Errc::unavailable, "neither a DHCP lease nor the resolver configuration contains a domain",
                "give the domain explicitly: --domain example.com", "noLocalDomain");
}

} // namespace acmetool::dns
