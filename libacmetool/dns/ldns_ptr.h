#pragma once

#include <cstdlib>
#include <memory>

#include "dns/ldns_library.h"

/// Ownership of ldns objects; only for the .cpp files of dns/.
namespace acmetool::dns
{

struct LdnsDeleter {
    void operator()(ldns_pkt* packet) const noexcept { ldns().pkt_free(packet); }
    void operator()(ldns_rr* rr) const noexcept { ldns().rr_free(rr); }
    void operator()(ldns_rdf* rdf) const noexcept { ldns().rdf_deep_free(rdf); }
    void operator()(char* text) const noexcept { std::free(text); }
    void operator()(unsigned char* octets) const noexcept { std::free(octets); }
};
using LdnsPacket = std::unique_ptr<ldns_pkt, LdnsDeleter>;
using LdnsRecord = std::unique_ptr<ldns_rr, LdnsDeleter>;
using LdnsRdf = std::unique_ptr<ldns_rdf, LdnsDeleter>;
using LdnsText = std::unique_ptr<char, LdnsDeleter>;
using LdnsOctets = std::unique_ptr<unsigned char, LdnsDeleter>;

} // namespace acmetool::dns
