#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "crypto/cert.h"
#include "net/endpoint.h"
#include "radius/packet.h"
#include "teap/server.h"

/// What relay.toml says of TEAP: [listen] radius, [teap], [[client]], [[accept]].
namespace acmetool::access
{

/// A NAS, or a proxy, that may ask.
struct Client {
    std::string address;          ///< "192.0.2.1", "2001:db8::1", or a network, "192.0.2.0/24"
    std::string secret_file;      ///< shared secret; a final end-of-line does not count
    std::optional<teap::Kdf> kdf; ///< for peers behind it; none: as [teap] says
};

/// What an Access-Accept carries besides keys; the first rule that fits counts.
struct AcceptRule {
    std::string device;           ///< serial number or name, '*' at its end for all that begin so; empty: any
    std::optional<bool> enrolled; ///< got its certificate in this conversation, or not; none: either
    std::string vlan;             ///< Tunnel-Private-Group-Id, with the two attributes it needs (RFC 3580)
    std::string filter_id;
    std::chrono::seconds session_timeout{0}; ///< 0: none
    /// At the end of the session the NAS asks again (Termination-Action RADIUS-Request, RFC 3580
    /// section 3.17); false: it ends it.
    bool reauthenticate = true;
    std::vector<radius::Attribute> attributes; ///< in addition, as parse_reply_attribute() reads them
    std::string manufacturer = {};             ///< of the device, as the configuration names it; empty: any
};

/// User-Name of an Access-Accept, which a NAS uses for the accounting of the session (RFC 2865 section 5.1).
enum class UserName {
    authenticated, ///< the device's name, which the registration authority gave it
    outer,         ///< what the peer sent in the clear (RFC 3579 section 2.1), if it is printable
};

struct Options {
    net::Endpoint radius{"0.0.0.0", 1812};
    std::string certificate_file; ///< of the TLS server, PEM chain
    std::string key_file;
    std::vector<crypto::Certificate> issuers; ///< sent after those of certificate_file
    std::string min_tls;                      ///< "1.3", or empty: the library's least
    std::string max_tls;                      ///< "1.2", or empty: the library's most
    std::vector<Client> clients;
    std::vector<AcceptRule> accept;
    teap::ServerSettings settings;
    UserName user_name = UserName::authenticated;
    unsigned threads = 2;       ///< that answer packets
    unsigned sessions = 20'000; ///< conversations at once
    std::chrono::seconds session_life{60};
    std::chrono::seconds repeat{30}; ///< an answer is kept so long for repeated requests
};

} // namespace acmetool::access
