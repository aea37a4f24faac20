#pragma once

#include <libpq-fe.h>

#include "base/result.h"

namespace acmetool::store
{

/// The functions of libpq that we call, under their names without "PQ", in lower case. Their types are those
/// of <libpq-fe.h>, so calls are checked like direct ones.
struct PqLibrary {
    decltype(&PQbackendPID) backend_pid;
    decltype(&PQclear) clear;
    decltype(&PQcmdStatus) cmd_status;
    decltype(&PQcmdTuples) cmd_tuples;
    decltype(&PQconnectStartParams) connect_start_params;
    decltype(&PQconnectPoll) connect_poll;
    decltype(&PQconninfoFree) conninfo_free;
    decltype(&PQconninfoParse) conninfo_parse;
    decltype(&PQconsumeInput) consume_input;
    decltype(&PQdb) db;
    decltype(&PQenterPipelineMode) enter_pipeline_mode;
    decltype(&PQerrorMessage) error_message;
    decltype(&PQfinish) finish;
    decltype(&PQflush) flush;
    decltype(&PQfreemem) freemem;
    decltype(&PQftype) ftype;
    decltype(&PQgetisnull) getisnull;
    decltype(&PQgetlength) getlength;
    decltype(&PQgetResult) get_result;
    decltype(&PQgetvalue) getvalue;
    decltype(&PQhost) host;
    decltype(&PQisBusy) is_busy;
    decltype(&PQnfields) nfields;
    decltype(&PQnotifies) notifies;
    decltype(&PQntuples) ntuples;
    decltype(&PQpipelineSync) pipeline_sync;
    decltype(&PQport) port;
    decltype(&PQresultErrorField) result_error_field;
    decltype(&PQresultErrorMessage) result_error_message;
    decltype(&PQresultStatus) result_status;
    decltype(&PQsendPrepare) send_prepare;
    decltype(&PQsendQueryPrepared) send_query_prepared;
    decltype(&PQsetNoticeProcessor) set_notice_processor;
    decltype(&PQsetnonblocking) setnonblocking;
    decltype(&PQsocket) socket;
    decltype(&PQsslInUse) ssl_in_use;
    decltype(&PQstatus) status;
};

/// libpq, loaded at the first call (base/loaded_library.h). Safe to call from several threads. Errors:
/// config, reason "postgresql".
Result<const PqLibrary*> pq_library();

} // namespace acmetool::store
