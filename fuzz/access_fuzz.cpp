// RADIUS packets at the server's conversations, which an honest or hostile NAS sends. The input is a sequence
// of packets, each with two octets of length and one that says how it is sent (the constants below) before
// it. The TLS client behind it is an honest one, whose octets are sent in pieces.
#include <algorithm>
#include <cstddef>
#include <fstream>
#include <optional>

#include "access/sessions.h"
#include "folder.h"
#include "teap_tunnel.h"

using namespace acmetool;

namespace
{

constexpr unsigned kRaw = 1;        ///< the octets as they are: no authenticator is made
constexpr unsigned kAttributes = 2; ///< an Access-Request with these attributes; else the octets are EAP
constexpr unsigned kNoState = 4;    ///< without the State of the last answer
constexpr unsigned kElsewhere = 8;  ///< from another address
constexpr unsigned kTwice = 16;
constexpr unsigned kOldState = 32; ///< the State of the first answer
constexpr unsigned kTls =
    64; ///< octets of the TLS client: two say how many at most, one the flags of the frame
constexpr unsigned kResponse = 128; ///< an EAP-Response to the last request: type and data

constexpr std::size_t kMostPackets = 64;
constexpr unsigned kConversations = 4;

class NasLab
{
public:
    explicit NasLab(const std::string& secret_file)
    {
        static const auto server_context = fuzz::context_of(crypto::Side::server);
        static const auto client_context = fuzz::context_of(crypto::Side::client);
        access::Options options;
        options.clients = {{"192.0.2.0/24", secret_file, {}}};
        options.sessions = kConversations;
        sessions_ = std::move(*access::Sessions::make(options, server_context, authority_, {}));
        tls_.emplace(*crypto::TlsEngine::start(client_context, {}));
        identity();
    }

    void send(ByteView packet)
    {
        const unsigned how = packet[0];
        packet = packet.subspan(1);
        if ((how & kRaw) != 0) return deliver({packet.begin(), packet.end()}, how);
        radius::Packet request;
        request.code = static_cast<std::uint8_t>(radius::Code::access_request);
        request.identifier = ++next_;
        request.authenticator[0] = next_;
        if ((how & kAttributes) != 0)
            add_attributes(request, packet);
        else
            radius::add_eap_message(request, eap_of(packet, how));
        const auto& state = (how & kOldState) != 0 ? first_state_ : state_;
        if ((how & kNoState) == 0 && !state.empty()) request.add(radius::attribute::kState, state);
        if (auto octets = radius::encode_request(request, secret_)) deliver(std::move(*octets), how);
    }

private:
    void identity()
    {
        const Bytes octets{kNoState | kResponse, teap::eap_type::kIdentity, 'a'};
        send(octets);
    }

    static void add_attributes(radius::Packet& request, ByteView octets)
    {
        while (octets.size() >= 2) {
            const auto count = std::min<std::size_t>(octets[1], octets.size() - 2);
            request.add(octets[0], octets.subspan(2, std::min(count, radius::kLargestValue)));
            octets = octets.subspan(2 + count);
        }
    }

    Bytes eap_of(ByteView octets, unsigned how)
    {
        if ((how & kTls) != 0 && octets.size() >= 3) {
            for (const auto octet : tls_->take_output())
                waiting_.push_back(octet);
            const auto most = std::size_t{octets[0]} << 8U | octets[1];
            const auto count = static_cast<std::ptrdiff_t>(std::min(most, waiting_.size()));
            Bytes data{octets[2]}; // flags and version; a length follows if they say so
            data.insert(data.end(), octets.begin() + 3, octets.end());
            data.insert(data.end(), waiting_.begin(), waiting_.begin() + count);
            waiting_.erase(waiting_.begin(), waiting_.begin() + count);
            return teap::EapPacket{teap::EapCode::response, identifier_, teap::eap_type::kTeap, data}
                .encode();
        }
        if ((how & kResponse) != 0 && !octets.empty())
            return teap::EapPacket{
                teap::EapCode::response, identifier_, octets[0], {octets.begin() + 1, octets.end()}}
                .encode();
        return {octets.begin(), octets.end()};
    }

    void deliver(Bytes octets, unsigned how)
    {
        const access::Sessions::Source source{(how & kElsewhere) != 0 ? "192.0.2.2" : "192.0.2.1", 1812};
        for (int i = (how & kTwice) != 0 ? 0 : 1; i < 2; ++i) {
            std::optional<Bytes> reply;
            sessions_->take(octets, source, [&reply](Bytes answer) { reply = std::move(answer); });
            if (sessions_->open() > kConversations) __builtin_trap();
            if (reply) read(octets, *reply);
        }
    }

    void read(ByteView request, ByteView octets)
    {
        const auto asked = *radius::parse_packet(request);
        if (!radius::has_valid_response_authenticator(octets, secret_, asked.authenticator)) __builtin_trap();
        const auto reply = *radius::parse_packet(octets);
        // The device has no certificate, and proves no tunnel. Status-Server is answered with the same code.
        if (reply.code == static_cast<std::uint8_t>(radius::Code::access_accept) &&
            asked.code != static_cast<std::uint8_t>(radius::Code::status_server))
            __builtin_trap();
        const auto* state = reply.find(radius::attribute::kState);
        if (state == nullptr) return;
        state_ = *state;
        if (first_state_.empty()) first_state_ = state_;
        const auto eap = radius::eap_message(reply);
        if (!eap || eap->size() < 2) return;
        identifier_ = (*eap)[1];
        const auto packet = teap::parse_eap(*eap);
        if (!packet || packet->type != teap::eap_type::kTeap) return;
        if (const auto frame = teap::parse_frame(packet->data); frame && !frame->start)
            static_cast<void>(tls_->feed(frame->data).has_value());
    }

    fuzz::Authority authority_{false};
    base::Secret secret_{"radius-secret"};
    std::unique_ptr<access::Sessions> sessions_;
    std::optional<crypto::TlsEngine> tls_;
    Bytes waiting_; ///< of the TLS client
    Bytes state_, first_state_;
    std::uint8_t identifier_ = 0; ///< of the last EAP-Request
    std::uint8_t next_ = 0;
};

} // namespace

extern "C" int fuzz_access(const unsigned char* data, std::size_t size)
{
    static const struct SecretFile {
        SecretFile()
        {
            std::ofstream{folder + "/secret"} << "radius-secret";
            std::filesystem::permissions(folder + "/secret", std::filesystem::perms::owner_read);
        }
        ~SecretFile() { std::filesystem::remove_all(folder); }
        std::string folder = fuzz::make_folder();
    } file;
    NasLab lab{file.folder + "/secret"};
    std::size_t packets = 0;
    fuzz::each_message({data, size}, [&](ByteView packet) {
        lab.send(packet);
        return ++packets < kMostPackets;
    });
    return 0;
}
