#include "store/pq_library.h"

#include "base/loaded_library.h"

namespace acmetool::store
{
namespace
{

Result<PqLibrary> load_pq()
{
    PqLibrary pq{};
    base::LoadedLibrary library{"libpq.so.5"};
    library.take(pq.backend_pid, "PQbackendPID")
        .take(pq.clear, "PQclear")
        .take(pq.cmd_status, "PQcmdStatus")
        .take(pq.cmd_tuples, "PQcmdTuples")
        .take(pq.connect_start_params, "PQconnectStartParams")
        .take(pq.connect_poll, "PQconnectPoll")
        .take(pq.conninfo_free, "PQconninfoFree")
        .take(pq.conninfo_parse, "PQconninfoParse")
        .take(pq.consume_input, "PQconsumeInput")
        .take(pq.db, "PQdb")
        .take(pq.enter_pipeline_mode, "PQenterPipelineMode")
        .take(pq.error_message, "PQerrorMessage")
        .take(pq.finish, "PQfinish")
        .take(pq.flush, "PQflush")
        .take(pq.freemem, "PQfreemem")
        .take(pq.ftype, "PQftype")
        .take(pq.getisnull, "PQgetisnull")
        .take(pq.getlength, "PQgetlength")
        .take(pq.get_result, "PQgetResult")
        .take(pq.getvalue, "PQgetvalue")
        .take(pq.host, "PQhost")
        .take(pq.is_busy, "PQisBusy")
        .take(pq.nfields, "PQnfields")
        .take(pq.notifies, "PQnotifies")
        .take(pq.ntuples, "PQntuples")
        .take(pq.pipeline_sync, "PQpipelineSync")
        .take(pq.port, "PQport")
        .take(pq.result_error_field, "PQresultErrorField")
        .take(pq.result_error_message, "PQresultErrorMessage")
        .take(pq.result_status, "PQresultStatus")
        .take(pq.send_prepare, "PQsendPrepare")
        .take(pq.send_query_prepared, "PQsendQueryPrepared")
        .take(pq.set_notice_processor, "PQsetNoticeProcessor")
        .take(pq.setnonblocking, "PQsetnonblocking")
        .take(pq.socket, "PQsocket")
        .take(pq.ssl_in_use, "PQsslInUse")
        .take(pq.status, "PQstatus");
    ACMETOOL_CHECK(library.result("install libpq; on Debian: apt install libpq5", "postgresql"));
    return pq;
}

} // namespace

Result<const PqLibrary*> pq_library()
{
    static const Result<PqLibrary> library = load_pq();
    if (!library) return fail(library.error());
    return &*library;
}

} // namespace acmetool::store
