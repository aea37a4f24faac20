#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "ra/policy.h"
#include "ra/records.h"

namespace acmetool::ra
{

template <class T>
using OrRefused = std::variant<T, enrol::Refused>;

/// Who asks, and which names are theirs: what the store adds to a claim. It lives as long as one question;
/// what it is made of is not owned. Errors of all members: those of the store.
class Recognition
{
public:
    /// What it may do to the store. To read takes no transaction, and may be done by any thread.
    enum class Use { reading, writing };
    Recognition(Records& records, const Options& options, const Files& files, Use use)
        : records_(records), options_(options), files_(files), use_(use)
    {
    }

    /// `key_digest`: of the key of the request; may be empty.
    Result<OrRefused<Identity>> identify(const Claim& claim, const std::string& key_digest,
                                         const std::string& label, base::TimePoint now);
    /// What the names are for. Whoever is only told of a name has it once it enrols.
    enum class Names { told, enrolled };
    Result<OrRefused<std::vector<std::string>>> names_of(const Identity& identity, const LabelRules& rules,
                                                         Names purpose);
    /// Whose certificate it is that is not accepted; without id if nobody knows.
    Result<Device> claimed_device(const Claim& claim);
    /// What the peer's request has to look like.
    Result<enrol::AttributesDecision> attributes(const Claim& claim, const LabelRules& rules,
                                                 const std::string& label, base::TimePoint now);

    /// True if something has to be noted, and was not, because this may only read: its answers do not count.
    bool has_to_write() const { return has_to_write_; }

private:
    Result<OrRefused<Identity>> identify_private(const Claim& claim, Identity identity);
    Result<std::optional<enrol::Refused>> judge_known(Identity& identity, const std::string& key_digest,
                                                      const std::string& label);
    Device device_of(const Device& row, const std::optional<std::string>& now) const;
    Result<bool> is_first(const Identity& identity);
    Result<bool> holds(const std::string& name, const Identity& identity, const std::string& group,
                       Names purpose = Names::enrolled);
    Result<std::optional<std::string>> random_name(const Identity& identity, const std::string& group);
    /// False, and noted, if this may only read.
    bool may_write();

    Records& records_;
    const Options& options_;
    const Files& files_;
    const Use use_;
    bool has_to_write_ = false;
};

} // namespace acmetool::ra
