// What an EST client sends, past the HTTP parser: method, target, header lines, an empty line, the body.
#include <cstddef>
#include <string_view>

#include "est/server.h"
#include "request_text.h"

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

extern "C" int fuzz_est_request(const unsigned char* data, std::size_t size)
{
    auto request = fuzz::read_request({reinterpret_cast<const char*>(data), size});
    Refuser authority;
    est::ServerOptions options;
    options.logins = {.basic = true, .digest = http::DigestOptions{}};
    est::Server server{authority, std::move(options), {}};
    bool answered = false;
    server.handle(std::move(request), [&answered](const http::ServerResponse&) { answered = true; });
    if (!answered) __builtin_trap();
    return 0;
}
