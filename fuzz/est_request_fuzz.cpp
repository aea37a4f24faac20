// What an EST client sends, past the HTTP parser: method, target, header lines, an empty line, the body.
#include <cstddef>
#include <string_view>

#include "base/text.h"
#include "est/server.h"

using namespace acmetool;

namespace
{

class Refuser final : public enrol::RegistrationAuthority
{
public:
    void enrol(enrol::EnrolRequest request, std::function<void(enrol::Decision)> done) override
    {
        done(enrol::Refused{enrol::Refusal::bad_identity, request.csr.common_name, {}});
    }
    void csr_attributes(enrol::Peer, const std::string& label,
                        std::function<void(enrol::AttributesDecision)> done) override
    {
        done(enrol::CsrAttributes{{{"dns", "a.example.com"}}, label, true, {}});
    }
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string& label) override
    {
        if (label == "none") return std::nullopt;
        return std::vector<crypto::Certificate>{};
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    std::string_view rest{reinterpret_cast<const char*>(data), size};
    const auto line = [&rest] {
        const auto end = rest.find('\n');
        const auto found = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        return found;
    };
    http::ServerRequest request;
    request.method = line();
    request.target = line();
    for (auto field = line(); !field.empty(); field = line())
        if (const auto colon = field.find(':'); colon != std::string_view::npos)
            request.headers.emplace_back(base::to_lower(field.substr(0, colon)),
                                         base::trim(field.substr(colon + 1)));
    request.body = rest;
    Refuser authority;
    est::ServerOptions options;
    options.basic = true;
    est::Server server{authority, std::move(options), {}};
    bool answered = false;
    server.handle(std::move(request), [&answered](const http::ServerResponse&) { answered = true; });
    if (!answered) __builtin_trap();
    return 0;
}
