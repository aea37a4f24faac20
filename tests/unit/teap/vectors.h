#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/bytes.h"

/// Recorded TEAP conversations, read in place.
namespace acmetool::test
{

inline Bytes from_hex(std::string_view hex)
{
    const auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
    Bytes octets;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        octets.push_back(static_cast<std::uint8_t>(digit(hex[i]) << 4U | digit(hex[i + 1])));
    return octets;
}

struct TeapVector {
    std::string name;
    nlohmann::json keys;
    struct Sent {
        bool by_nas = false;
        Bytes octets;
    };
    std::vector<Sent> packets;

    Bytes bytes(const char* member) const { return from_hex(keys.at(member).get<std::string>()); }
    bool has(const char* member) const { return keys.contains(member); }
    bool tls_1_3() const { return keys.at("tls_version") == "TLSv1.3"; }
};

inline const std::vector<std::string>& teap_vector_names()
{
    static const std::vector<std::string> names{
        "cert12-sha256",         "cert13-sha256",         "cert13-sha384",  "outertlv12-sha256",
        "frag300-cert12-sha256", "basic12-sha256",        "basic13-sha384", "mschapv2-12-sha256",
        "innertls12-sha256",     "fork-t250-enroll-tls13"};
    return names;
}

/// All vectors; none where they are not at hand.
inline const std::vector<TeapVector>& teap_vectors()
{
    static const auto vectors = [] {
        const char* shared = std::getenv("ACMETOOL_SHARED");
        const std::string folder = std::string{shared != nullptr ? shared : "../shared"} + "/vectors/teap/";
        std::vector<TeapVector> all;
        for (const auto& name : teap_vector_names()) {
            std::ifstream keys{folder + name + ".keys.json"};
            std::ifstream packets{folder + name + ".packets.txt"};
            if (!keys || !packets) return std::vector<TeapVector>{};
            TeapVector vector{name, nlohmann::json::parse(keys), {}};
            std::string direction;
            std::string hex;
            while (packets >> direction >> hex)
                vector.packets.push_back({direction == ">", from_hex(hex)});
            all.push_back(std::move(vector));
        }
        return all;
    }();
    return vectors;
}

} // namespace acmetool::test

/// Declares `vectors`; the test case ends here, told, where there are none.
#define ACMETOOL_TEAP_VECTORS(vectors)                                                                       \
    const auto& vectors = ::acmetool::test::teap_vectors();                                                  \
    if (vectors.empty()) {                                                                                   \
        MESSAGE("skipped: no recorded conversations at ACMETOOL_SHARED");                                    \
        return;                                                                                              \
    }                                                                                                        \
    static_assert(true)
