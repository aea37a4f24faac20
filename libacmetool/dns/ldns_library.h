#pragma once

#include <stdbool.h> // without it, ldns makes a macro of "bool", which what is included next cannot bear

#include <ldns/ldns.h>

#include "base/result.h"

namespace acmetool::dns
{

/// The functions of ldns that we call, under their names without "ldns_". Their types are those of
/// <ldns/ldns.h>, so calls are checked like direct ones.
struct LdnsLibrary {
    decltype(&ldns_dname_new_frm_str) dname_new_frm_str;
    decltype(&ldns_get_errorstr_by_id) get_errorstr_by_id;
    decltype(&ldns_pkt2wire) pkt2wire;
    decltype(&ldns_pkt_additional) pkt_additional;
    decltype(&ldns_pkt_answer) pkt_answer;
    decltype(&ldns_pkt_authority) pkt_authority;
    decltype(&ldns_pkt_free) pkt_free;
    decltype(&ldns_pkt_get_rcode) pkt_get_rcode;
    decltype(&ldns_pkt_query_new) pkt_query_new;
    decltype(&ldns_pkt_rcode2str) pkt_rcode2str;
    decltype(&ldns_pkt_set_id) pkt_set_id;
    decltype(&ldns_pkt_tc) pkt_tc;
    decltype(&ldns_pkt_tsig) pkt_tsig;
    decltype(&ldns_pkt_tsig_sign) pkt_tsig_sign;
    decltype(&ldns_pkt_tsig_verify) pkt_tsig_verify;
    decltype(&ldns_rdf2native_int16) rdf2native_int16;
    decltype(&ldns_rdf2str) rdf2str;
    decltype(&ldns_rdf_clone) rdf_clone;
    decltype(&ldns_rdf_data) rdf_data;
    decltype(&ldns_rdf_deep_free) rdf_deep_free;
    decltype(&ldns_rdf_new_frm_data) rdf_new_frm_data;
    decltype(&ldns_rdf_size) rdf_size;
    decltype(&ldns_rr_free) rr_free;
    decltype(&ldns_rr_get_class) rr_get_class;
    decltype(&ldns_rr_get_type) rr_get_type;
    decltype(&ldns_rr_list_deep_free) rr_list_deep_free;
    decltype(&ldns_rr_list_free) rr_list_free;
    decltype(&ldns_rr_list_new) rr_list_new;
    decltype(&ldns_rr_list_push_rr) rr_list_push_rr;
    decltype(&ldns_rr_list_rr) rr_list_rr;
    decltype(&ldns_rr_list_rr_count) rr_list_rr_count;
    decltype(&ldns_rr_new) rr_new;
    decltype(&ldns_rr_owner) rr_owner;
    decltype(&ldns_rr_push_rdf) rr_push_rdf;
    decltype(&ldns_rr_rd_count) rr_rd_count;
    decltype(&ldns_rr_rdf) rr_rdf;
    decltype(&ldns_rr_set_class) rr_set_class;
    decltype(&ldns_rr_set_owner) rr_set_owner;
    decltype(&ldns_rr_set_ttl) rr_set_ttl;
    decltype(&ldns_rr_set_type) rr_set_type;
    decltype(&ldns_update_pkt_new) update_pkt_new;
    decltype(&ldns_wire2pkt) wire2pkt;
};

/// ldns, loaded at the first call (base/loaded_library.h). Safe to call from several threads. Errors: config,
/// reason "ldns".
Result<const LdnsLibrary*> ldns_library();

/// The same where it was loaded before.
inline const LdnsLibrary& ldns()
{
    return **ldns_library();
}

} // namespace acmetool::dns
