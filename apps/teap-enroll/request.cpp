#include "teap-enroll/request.h"

#include <fmt/core.h>

#include "crypto/csr_remake.h"
#include "crypto/digest.h"
#include "enrol/device_label.h"
#include "est/csr_filling.h"
#include "est/run.h"

namespace acmetool::cli
{

Result<TeapRequest> TeapRequest::prepare(const TeapOptions& options, std::vector<crypto::Certificate> own,
                                         Io& io)
{
    TeapRequest request{options, std::move(own)};
    if (!options.csr.empty()) {
        ACMETOOL_TRY(text, io.read(options.csr));
        ACMETOOL_TRY(csr, crypto::parse_csr(text));
        request.given_ = std::move(csr);
        return request;
    }
    if (options.new_key.empty()) return request;
    request.journal_file_ = options.journal.empty() ? options.key_out + ".journal" : options.journal;
    ACMETOOL_TRY(lock, est::lock_journal(request.journal_file_, io.context()));
    request.lock_ = std::move(lock);
    ACMETOOL_TRY(journal, est::read_journal(request.journal_file_));
    request.journal_ = std::move(journal).value_or(est::Journal{});
    request.journal_.url = "radius://" + options.radius;
    ACMETOOL_TRY(before, est::key_of_before(request.journal_, options.key_out));
    request.key_is_kept_ = before.has_value();
    if (before) {
        io.context().log(base::Level::info, "continuing an unfinished enrolment");
        request.key_ = std::move(before);
        return request;
    }
    ACMETOOL_TRY(key, crypto::generate_key(options.new_key));
    request.key_ = std::move(key);
    return request;
}

Result<TeapRequest> TeapRequest::passing(const TeapOptions& options, std::vector<crypto::Certificate> own)
{
    TeapRequest request{options, std::move(own)};
    if (options.new_key.empty()) return request;
    ACMETOOL_TRY(key, crypto::generate_key(options.new_key));
    request.key_ = std::move(key);
    return request;
}

std::string TeapRequest::digest_of_wishes(const std::optional<Bytes>& attributes) const
{
    std::string text = attributes ? to_hex(*attributes) : "";
    for (const auto& name : options_->dns)
        text += fmt::format(";dns:{}", name);
    if (!own_.empty()) text += ";" + to_hex(own_.front().sha256());
    return to_hex(crypto::sha256(as_bytes(text)));
}

Result<crypto::Csr> TeapRequest::build(const std::optional<Bytes>& attributes,
                                       const std::optional<crypto::ChannelBinding>& binding) const
{
    std::optional<std::string> password;
    if (binding) password = binding->to_base64();
    crypto::CsrOptions wanted;
    if (attributes) {
        ACMETOOL_TRY(asked, est::parse_csrattrs(*attributes));
        ACMETOOL_CHECK(est::check_key(asked, *key_));
        est::Filling filling;
        for (const auto& name : options_->dns)
            filling.suggestions.push_back({"dns", name});
        if (!own_.empty())
            if (const auto serial = enrol::device_serial(own_.front())) filling.serial_number = *serial;
        ACMETOOL_TRY(filled, est::fill_csr(asked, filling));
        wanted = std::move(filled.options);
    } else if (options_->dns.empty() && !own_.empty() && !own_.front().identifiers().empty()) {
        return crypto::csr_like(own_.front(), *key_, password);
    } else {
        for (const auto& name : options_->dns)
            wanted.identifiers.push_back({"dns", name});
    }
    wanted.challenge_password = password;
    auto csr = crypto::build_csr(*key_, wanted);
    if (!csr) csr.error().hint = "the server sets no name: give one with --dns";
    return csr;
}

Result<crypto::Csr> TeapRequest::make(const std::optional<Bytes>& attributes,
                                      const std::optional<crypto::ChannelBinding>& binding)
{
    const auto asked = digest_of_wishes(attributes);
    auto csr = given_;
    if (!csr && !binding) csr = est::csr_of_before(journal_, asked, *key_);
    const bool is_new = !csr;
    if (is_new) {
        ACMETOOL_TRY(built, build(attributes, binding));
        csr = std::move(built);
    }
    sent_sha256_ = est::csr_sha256(*csr);
    if (!is_new || journal_file_.empty()) return *csr;
    if (!key_is_kept_) ACMETOOL_CHECK(est::keep_key(journal_file_, journal_, options_->key_out, *key_));
    key_is_kept_ = true;
    journal_.asked = asked;
    journal_.csr = csr->to_pem();
    ACMETOOL_CHECK(est::write_journal(journal_file_, journal_));
    return *csr;
}

void TeapRequest::finish()
{
    if (!journal_file_.empty()) est::remove_journal(journal_file_);
}

} // namespace acmetool::cli
