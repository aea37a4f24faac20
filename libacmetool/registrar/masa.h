#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "base/worker.h"
#include "http/multi_client_wait.h"
#include "registrar/decision.h"
#include "registrar/masa_settings.h"

/// A manufacturer's MASA as the registrar sees it: MasaClient, or a double in tests.
namespace acmetool::registrar
{

/// What is asked for one device.
struct MasaQuestion {
    enum class What { voucher, audit_log };
    std::string id; ///< one question for one id
    What what = What::voucher;
    std::string masa_url;
    Bytes request; ///< the registrar's voucher-request
    std::string media_type;
    std::string accept;          ///< of vouchers
    std::string request_id = {}; ///< of the pledge's request, for traces; may be empty
};

/// What was asked for; nobody has examined it.
struct MasaDocument {
    Bytes octets;
    std::string type; ///< Content-Type
};
/// Not yet; it is asked again.
struct MasaDelay {
    std::string why;
    Cause cause = Cause::none; ///< masa_silent: it does not answer, or fails
};
struct MasaRefusal {
    Cause cause = Cause::masa_refused;
    std::string why;
};
using MasaAnswer = std::variant<MasaDocument, MasaDelay, MasaRefusal>;

class Masa
{
public:
    /// Called on the thread that asks: any number of delays, then a document or a refusal. Not from within
    /// ask(), forget() or use().
    using Hear = std::function<void(MasaAnswer)>;

    virtual ~Masa() = default; ///< open questions are forgotten
    /// From any thread: asks until there is an answer. Replaces an open question with the same id.
    virtual void ask(MasaQuestion question, Hear hear) = 0;
    /// From any thread: the question is not asked again. An answer on its way may still be heard.
    virtual void forget(const std::string& id) = 0;
    /// From any thread: goes on with other settings. Open questions are asked again at once.
    virtual void use(MasaSettings settings) = 0;
};

/// The thread that asks MASAs; not owned. A client may be destroyed after its worker has stopped.
struct MasaThread {
    base::Worker& worker;
    http::MultiClientWait& transfers; ///< the worker's
};
using MakeMasa = std::function<Result<std::unique_ptr<Masa>>(MasaSettings, MasaThread)>;

} // namespace acmetool::registrar
