#pragma once

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>

#include <fmt/core.h>
#include <toml++/toml.h>

#include "base/text.h"
#include "cli/nearest.h"
#include "net/endpoint.h"
#include "relay/config.h"
#include "store/secret_file.h"

/// Reading of the configuration file's sections. Only for the files that read them, because toml++ is heavy.
namespace acmetool::relay
{

inline constexpr const char* kHint = "check --explain lists the keys";

inline Error error_at(const std::string& file, const toml::source_region& place, std::string_view what,
                      std::string hint = kHint, std::string reason = "badConfig")
{
    Error error;
    error.code = Errc::config;
    error.message = fmt::format("{}:{}:{}: {}", file, place.begin.line, place.begin.column, what);
    error.hint = std::move(hint);
    error.reason = std::move(reason);
    return error;
}

/// State for the whole file while it is read.
struct Reading {
    std::string file;
    std::vector<KeyHelp>* help = nullptr; ///< if set, filled instead of reading values
    std::optional<Error> error;           ///< the first one
    std::vector<NamedFile> files;         ///< those whose content is read

    void fail(Error problem)
    {
        if (!error) error = std::move(problem);
    }
};

/// "64KiB", "2MiB", "4096".
inline std::optional<std::size_t> parse_size(std::string_view text)
{
    std::size_t count = 0;
    const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view unit{rest, static_cast<std::size_t>(text.data() + text.size() - rest)};
    const unsigned shift = unit == "KiB" ? 10 : unit == "MiB" ? 20 : 0;
    if (problem != std::errc{} || (shift == 0 && !unit.empty()) || count > (std::size_t{1} << 40U))
        return std::nullopt;
    return count << shift;
}

inline std::string shown(std::chrono::milliseconds time)
{
    using std::chrono::hours;
    using std::chrono::minutes;
    using std::chrono::seconds;
    if (time % hours{24} == time.zero()) return fmt::format("{}d", time / hours{24});
    if (time % hours{1} == time.zero()) return fmt::format("{}h", time / hours{1});
    if (time % minutes{1} == time.zero()) return fmt::format("{}m", time / minutes{1});
    if (time % seconds{1} == time.zero()) return fmt::format("{}s", time / seconds{1});
    return fmt::format("{}ms", time.count());
}

/// One table of the file. Each call reads and documents a key; finish() refuses unknown keys.
class Section
{
public:
    Section(Reading& reading, std::string name, const toml::table* table)
        : reading_(reading), name_(std::move(name)), table_(table)
    {
    }

    void text(const std::string& key, std::string& value, const std::string& help)
    {
        if (const auto* node = find(key, value, help)) {
            if (const auto* given = node->as_string())
                value = given->get();
            else
                complain(*node, key, "must be a string, in quotes");
        }
    }
    void choice(const std::string& key, std::string& value, const std::vector<std::string>& words,
                const std::string& help)
    {
        text(key, value, help + " (" + base::join(words, ", ") + ")");
        if (const auto* node = peek(key); node != nullptr && node->is_string() &&
                                          std::find(words.begin(), words.end(), value) == words.end())
            complain(
                *node, key,
                fmt::format("\"{}\" must be one of {}", base::printable(value, 60), base::join(words, ", ")));
    }
    /// A path whose content is not read here: a folder, a program, the database.
    void path(const std::string& key, std::string& value, const std::string& help)
    {
        text(key, value, help);
        if (peek(key) != nullptr) value = resolve(value);
    }
    void file(const std::string& key, std::string& value, const std::string& help)
    {
        text(key, value, help);
        const auto* node = peek(key);
        if (node == nullptr) return;
        value = content(value);
        remember(*node, key, value);
    }
    /// The private key of the certificate named in `certificate`.
    void key_of(const std::string& certificate, const std::string& key, std::string& value,
                const std::string& help)
    {
        file(key, value, help);
        const auto* named = peek(certificate);
        if (!value.empty() || named == nullptr || !named->is_string()) return;
        std::filesystem::path name{named->as_string()->get()};
        value = content(name.replace_extension(".key").string());
    }
    void flag(const std::string& key, bool& value, const std::string& help)
    {
        if (const auto* node = find(key, value ? "true" : "false", help)) {
            if (const auto* given = node->as_boolean())
                value = given->get();
            else
                complain(*node, key, "must be true or false");
        }
    }
    void list(const std::string& key, std::vector<std::string>& values, const std::string& help)
    {
        const auto* node = find(key, "", help);
        if (node == nullptr) return;
        values.clear();
        if (const auto* one = node->as_string()) {
            values.push_back(one->get());
            return;
        }
        const auto* given = node->as_array();
        if (given == nullptr) {
            complain(*node, key, "must be a list of strings");
            return;
        }
        for (const auto& entry : *given) {
            const auto* one = entry.as_string();
            if (one == nullptr) {
                complain(entry, key, "must be a list of strings");
                return;
            }
            values.push_back(one->get());
        }
    }
    void files(const std::string& key, std::vector<std::string>& values, const std::string& help)
    {
        list(key, values, help);
        for (auto& value : values) {
            value = content(value);
            if (const auto* node = peek(key)) remember(*node, key, value);
        }
    }
    /// The keys crl and crl_stale.
    void crl(crypto::CrlOptions& value, const std::string& help)
    {
        list("crl", value.sources, help);
        for (auto& source : value.sources) {
            if (crypto::is_crl_url(source)) continue;
            source = content(source);
            if (const auto* node = peek("crl")) remember(*node, "crl", source);
        }
        std::string stale = value.stale == crypto::StaleCrl::accept ? "accept" : "refuse";
        choice("crl_stale", stale, {"refuse", "accept"},
               "what happens to a certificate if crl has no current CRL of its issuer");
        value.stale = stale == "accept" ? crypto::StaleCrl::accept : crypto::StaleCrl::refuse;
    }
    void number(const std::string& key, unsigned& value, unsigned least, const std::string& help)
    {
        if (const auto* node = find(key, std::to_string(value), help)) {
            const auto* given = node->as_integer();
            if (given != nullptr && given->get() >= least &&
                given->get() <= std::numeric_limits<unsigned>::max())
                value = static_cast<unsigned>(given->get());
            else
                complain(*node, key, fmt::format("must be a number of at least {}", least));
        }
    }
    void size(const std::string& key, std::size_t& value, const std::string& help)
    {
        if (const auto* node = find(key, fmt::format("{}KiB", value >> 10U), help)) {
            std::optional<std::size_t> given;
            if (const auto* words = node->as_string()) given = parse_size(words->get());
            if (const auto* octets = node->as_integer(); octets != nullptr && octets->get() > 0)
                given = static_cast<std::size_t>(octets->get());
            if (given && *given >= 1024 && *given <= (std::size_t{16} << 20U))
                value = *given;
            else
                complain(*node, key, "must be a size from 1KiB to 16MiB, such as \"64KiB\"");
        }
    }
    template <class Duration>
    void duration(const std::string& key, Duration& value, const std::string& help)
    {
        if (const auto* node = find(key, shown(value), help)) {
            const auto* words = node->as_string();
            const auto given = words != nullptr
                                   ? base::parse_duration(words->get())
                                   : Result<base::Milliseconds>{acmetool::fail(Errc::bad_input, "")};
            if (given)
                value = std::chrono::ceil<Duration>(*given);
            else
                complain(*node, key,
                         "must be a duration, such as \"500ms\", \"30s\", \"10m\", \"12h\" or \"7d\"");
        }
    }
    void margin(const std::string& key, base::Margin& value, const std::string& help)
    {
        if (const auto* node = find(key, "1/3", help)) {
            const auto* words = node->as_string();
            const auto given = words != nullptr ? base::parse_margin(words->get())
                                                : Result<base::Margin>{acmetool::fail(Errc::bad_input, "")};
            if (given)
                value = *given;
            else
                complain(*node, key,
                         "must be a duration or a share of the lifetime, such as \"12h\" or \"1/3\"");
        }
    }
    void endpoint(const std::string& key, net::Endpoint& value, const std::string& help)
    {
        std::string words = value.text();
        text(key, words, help);
        if (const auto* node = peek(key); node != nullptr && node->is_string()) {
            if (const auto given = net::parse_listen(words, value.port))
                value = *given;
            else
                complain(*node, key, given.error().message);
        }
    }

    /// The sections inside this one, whose names are keys of it.
    std::vector<std::pair<std::string, const toml::table*>> sections()
    {
        std::vector<std::pair<std::string, const toml::table*>> found;
        if (table_ != nullptr)
            for (const auto& [key, node] : *table_)
                if (const auto* inner = node.as_table()) {
                    known_.emplace_back(key.str());
                    found.emplace_back(known_.back(), inner);
                }
        return found;
    }
    bool has(const std::string& key) const { return peek(key) != nullptr; }
    /// Reports an invalid value of `key`, with its position and the caller's reason.
    void refuse(const std::string& key, std::string_view why)
    {
        if (const auto* node = peek(key)) complain(*node, key, why);
    }
    void require(const std::string& key, bool there)
    {
        if (there || reading_.help != nullptr) return;
        Error error;
        error.code = Errc::config;
        error.message = fmt::format("{}: [{}] has no {}", reading_.file, name_, key);
        error.hint = kHint;
        error.reason = "missingKey";
        reading_.fail(std::move(error));
    }
    void finish()
    {
        if (table_ == nullptr) return;
        for (const auto& [key, node] : *table_) {
            const std::string given{key.str()};
            if (std::find(known_.begin(), known_.end(), given) != known_.end()) continue;
            reading_.fail(error_at(reading_.file, key.source(),
                                   fmt::format("[{}] has no key \"{}\"", name_, base::printable(given, 60)),
                                   cli::did_you_mean(given, known_, kHint), "unknownKey"));
        }
    }

private:
    const toml::node* peek(const std::string& key) const
    {
        return table_ == nullptr ? nullptr : table_->get(key);
    }
    const toml::node* find(const std::string& key, const std::string& fallback, const std::string& help)
    {
        known_.push_back(key);
        if (reading_.help != nullptr) reading_.help->push_back({"[" + name_ + "]", key, fallback, help});
        return peek(key);
    }
    void complain(const toml::node& node, const std::string& key, std::string_view what)
    {
        reading_.fail(error_at(reading_.file, node.source(), fmt::format("{}: {}", key, what)));
    }
    void remember(const toml::node& node, const std::string& key, const std::string& path)
    {
        const auto place = node.source().begin;
        reading_.files.push_back(
            {fmt::format("{}:{}:{}: {}", reading_.file, place.line, place.column, key), path});
    }
    std::string resolve(const std::string& path) const
    {
        if (path.empty() || path.front() == '/') return path;
        return (std::filesystem::path{reading_.file}.parent_path() / path).string();
    }

    /// A file that is read: the service's credential of that name, if there is one.
    std::string content(const std::string& name) const
    {
        return store::credential(name).value_or(resolve(name));
    }

    Reading& reading_;
    std::string name_;
    const toml::table* table_;
    std::vector<std::string> known_;
};

} // namespace acmetool::relay
