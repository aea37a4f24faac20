#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/channel_binding.h"
#include "crypto/key.h"

using SSL_CTX = struct ssl_ctx_st;

/// TLS 1.2 and 1.3 without sockets: reads and writes records as octets.
namespace acmetool::crypto
{

struct TlsSettings {
    std::vector<Certificate> chain;               ///< ours, end entity first; empty: none (clients only)
    std::optional<Key> key;                       ///< key of the first one
    std::string min_version = "1.2";              ///< "1.2" or "1.3"
    std::string max_version = "1.3";              ///< likewise
    std::function<void(std::string_view)> keylog; ///< lines of NSS key log format; secret
};

/// Shared by connections of one kind; copies share the same object. No tickets, no resumption, no
/// renegotiation, no compression. Suites of TLS 1.2 are the AEAD ones with ECDHE, so that the PRF's hash is
/// SHA-256 or SHA-384.
class ACMETOOL_EXPORT TlsContext
{
public:
    /// Servers request a client certificate but do not require it. Errors: config.
    static Result<TlsContext> make(Side side, const TlsSettings& settings);

    SSL_CTX* get() const { return context_.get(); }
    Side side() const { return side_; }

private:
    std::shared_ptr<SSL_CTX> context_;
    std::shared_ptr<TlsSettings> settings_;
    Side side_ = Side::server;
};

/// One connection.
class ACMETOOL_EXPORT TlsEngine
{
public:
    /// Checks the peer's certificates, end entity first, during the handshake; an error ends it with the
    /// alert bad_certificate. Not called on a server if the client presents none.
    using Verifier = std::function<Result<void>(const std::vector<Certificate>&)>;

    /// A client's ClientHello is in take_output() afterwards. `verifier` empty: any certificate is accepted.
    static Result<TlsEngine> start(const TlsContext& context, Verifier verifier);
    ~TlsEngine();
    TlsEngine(TlsEngine&&) noexcept;
    TlsEngine& operator=(TlsEngine&&) noexcept;

    /// Processes records. An error ends the connection; take_output() may then contain an alert for the peer.
    /// The error is the verifier's, or Errc::protocol, reason "tls", which says so if the alert came from the
    /// peer.
    Result<void> feed(ByteView records);
    /// Returns the octets to send and removes them.
    Bytes take_output();
    /// Returns the decrypted octets and removes them.
    Bytes take_data();
    /// Encrypts; requires established().
    Result<void> send(ByteView data);

    bool established() const;
    std::string version() const; ///< "TLSv1.2", "TLSv1.3"
    std::string cipher() const;  ///< OpenSSL's name of the suite
    bool hash_is_sha384() const; ///< of the suite's PRF or HKDF; else SHA-256
    /// End entity first; empty: none was presented.
    std::vector<Certificate> peer_certificates() const;
    Result<ChannelBinding> channel_binding() const;
    /// RFC 5705, RFC 8446 section 7.5.
    Result<Bytes> export_key(std::string_view label, std::optional<ByteView> context, std::size_t size) const;

private:
    struct Impl;
    explicit TlsEngine(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace acmetool::crypto
