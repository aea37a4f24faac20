#pragma once

#include <stdbool.h> // without it, ldns makes a macro of "bool", which what is included next cannot bear

#include <cstdlib>
#include <memory>

#include <ldns/ldns.h>

/// Ownership of ldns objects; only for the .cpp files of dns/ and ca/.
namespace acmetool::dns
{

struct LdnsDeleter {
    void operator()(ldns_pkt* packet) const noexcept { ldns_pkt_free(packet); }
    void operator()(ldns_rr* rr) const noexcept { ldns_rr_free(rr); }
    void operator()(ldns_rdf* rdf) const noexcept { ldns_rdf_deep_free(rdf); }
    void operator()(char* text) const noexcept { std::free(text); }
    void operator()(unsigned char* octets) const noexcept { std::free(octets); }
};
using LdnsPacket = std::unique_ptr<ldns_pkt, LdnsDeleter>;
using LdnsRecord = std::unique_ptr<ldns_rr, LdnsDeleter>;
using LdnsRdf = std::unique_ptr<ldns_rdf, LdnsDeleter>;
using LdnsText = std::unique_ptr<char, LdnsDeleter>;
using LdnsOctets = std::unique_ptr<unsigned char, LdnsDeleter>;

} // namespace acmetool::dns
