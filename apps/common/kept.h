#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/state.h"
#include "base/result.h"
#include "base/time.h"
#include "cli/program.h"
#include "crypto/cert.h"

/// What the clients keep between runs, for people and monitors: the verbs list and status of several
/// programs. Nothing is sent, and nothing is written.
namespace acmetool::cli
{

/// How a monitor takes it; the values are its exit statuses (acmetool-exit-codes(7)).
enum class Alarm { well = 0, warning = 1, critical = 2, unknown = 3 };
std::string_view name_of(Alarm alarm);
/// The worse one: critical, warning, unknown, well.
Alarm worse(Alarm a, Alarm b);

enum class KeptState {
    well,
    due,        ///< the next run renews it
    unfinished, ///< a run began it: the next run goes on
    unknown,    ///< it cannot be read
    failed,     ///< the last run failed
    overdue,    ///< half of the time between renewal and end is over
    narrow,     ///< an authorization that does not cover the subdomains asked for
    mismatch,   ///< it does not fit its key
    missing,    ///< there is none yet
    expired,
};
std::string_view name_of(KeptState state);
Alarm alarm_of(KeptState state);

/// A certificate, an authorization or an order.
struct KeptEntry {
    std::string_view kind; ///< "certificate", "authorization", "order"
    std::string name;      ///< file, domain, or first name of the order
    KeptState state = KeptState::well;
    std::vector<crypto::Identifier> identifiers{};
    std::string serial{}; ///< of the certificate
    std::string url{};    ///< at the CA
    std::optional<base::TimePoint> since{};
    std::optional<base::TimePoint> expires{};
    std::optional<base::TimePoint> renew_at{};
    bool by_renewal_info = false; ///< renew_at is the CA's wish
    std::optional<base::TimePoint> last_success{};
    std::optional<acme::KeptFailure> failure{};
    std::string wrong{}; ///< one sentence; empty: nothing is wrong
    std::string next{};  ///< what happens or is to be done next, in one sentence
};

struct KeptAccount {
    std::string file;
    std::string directory;
    std::string url;
    std::string problem; ///< why the file cannot be read; empty: it can
};

struct KeptList {
    std::vector<KeptAccount> accounts;
    std::vector<KeptEntry> entries;
};

/// The state of something with an end, `wrong` and `next`. `program` renews it: "acme-order renew".
void judge(KeptEntry& entry, std::string_view program, base::TimePoint now);

/// The table: counts first, 60 columns unless a name is longer.
std::string to_table(const KeptList& list, base::TimePoint now);
/// All that is known of each entry.
std::string to_screen(const KeptList& list);

/// The result of list: table or document, exit status 0.
Result<void> show_list(const KeptList& list, Io& io);
/// The result of status: screen or document. The exit status is the worst alarm.
Result<void> show_status(const KeptList& list, Io& io);

/// The entries that `words` name, in their order; all without words. Errors: bad_input ("unknownEntry").
Result<std::vector<KeptEntry>> selected(std::vector<KeptEntry> entries,
                                        const std::vector<std::string>& words);

/// The .toml files of --config-dir, sorted. Errors: config ("noDirectory").
Result<std::vector<std::string>> config_files(const std::string& folder);

} // namespace acmetool::cli
