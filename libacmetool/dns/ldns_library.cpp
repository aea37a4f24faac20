#include "dns/ldns_library.h"

#include "base/loaded_library.h"

namespace acmetool::dns
{
namespace
{

Result<LdnsLibrary> load_ldns()
{
    LdnsLibrary ldns{};
    base::LoadedLibrary library{"libldns.so.3"};
    library.take(ldns.dname_new_frm_str, "ldns_dname_new_frm_str")
        .take(ldns.get_errorstr_by_id, "ldns_get_errorstr_by_id")
        .take(ldns.pkt2wire, "ldns_pkt2wire")
        .take(ldns.pkt_additional, "ldns_pkt_additional")
        .take(ldns.pkt_answer, "ldns_pkt_answer")
        .take(ldns.pkt_authority, "ldns_pkt_authority")
        .take(ldns.pkt_free, "ldns_pkt_free")
        .take(ldns.pkt_get_rcode, "ldns_pkt_get_rcode")
        .take(ldns.pkt_query_new, "ldns_pkt_query_new")
        .take(ldns.pkt_rcode2str, "ldns_pkt_rcode2str")
        .take(ldns.pkt_set_id, "ldns_pkt_set_id")
        .take(ldns.pkt_tc, "ldns_pkt_tc")
        .take(ldns.pkt_tsig, "ldns_pkt_tsig")
        .take(ldns.pkt_tsig_sign, "ldns_pkt_tsig_sign")
        .take(ldns.pkt_tsig_verify, "ldns_pkt_tsig_verify")
        .take(ldns.rdf2native_int16, "ldns_rdf2native_int16")
        .take(ldns.rdf2str, "ldns_rdf2str")
        .take(ldns.rdf_clone, "ldns_rdf_clone")
        .take(ldns.rdf_data, "ldns_rdf_data")
        .take(ldns.rdf_deep_free, "ldns_rdf_deep_free")
        .take(ldns.rdf_new_frm_data, "ldns_rdf_new_frm_data")
        .take(ldns.rdf_size, "ldns_rdf_size")
        .take(ldns.rr_free, "ldns_rr_free")
        .take(ldns.rr_get_class, "ldns_rr_get_class")
        .take(ldns.rr_get_type, "ldns_rr_get_type")
        .take(ldns.rr_list_deep_free, "ldns_rr_list_deep_free")
        .take(ldns.rr_list_free, "ldns_rr_list_free")
        .take(ldns.rr_list_new, "ldns_rr_list_new")
        .take(ldns.rr_list_push_rr, "ldns_rr_list_push_rr")
        .take(ldns.rr_list_rr, "ldns_rr_list_rr")
        .take(ldns.rr_list_rr_count, "ldns_rr_list_rr_count")
        .take(ldns.rr_new, "ldns_rr_new")
        .take(ldns.rr_owner, "ldns_rr_owner")
        .take(ldns.rr_push_rdf, "ldns_rr_push_rdf")
        .take(ldns.rr_rd_count, "ldns_rr_rd_count")
        .take(ldns.rr_rdf, "ldns_rr_rdf")
        .take(ldns.rr_set_class, "ldns_rr_set_class")
        .take(ldns.rr_set_owner, "ldns_rr_set_owner")
        .take(ldns.rr_set_ttl, "ldns_rr_set_ttl")
        .take(ldns.rr_set_type, "ldns_rr_set_type")
        .take(ldns.update_pkt_new, "ldns_update_pkt_new")
        .take(ldns.wire2pkt, "ldns_wire2pkt");
    ACMETOOL_CHECK(library.result("install ldns; on Debian: apt install libldns3", "ldns"));
    return ldns;
}

} // namespace

Result<const LdnsLibrary*> ldns_library()
{
    static const Result<LdnsLibrary> library = load_ldns();
    if (!library) return fail(library.error());
    return &*library;
}

} // namespace acmetool::dns
