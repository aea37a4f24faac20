// Loaded before the programs of a test (LD_PRELOAD), writes what they say to each other into the folder
// ACMETOOL_RECORD: for each TLS connection and direction a file of messages, and one for each socket of
// datagrams. A message has four octets of length before it. fuzz/record makes corpora of it.
#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace
{

template <class Function>
Function* next(const char* name)
{
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

/// One write: messages of several threads do not mix.
void record(const char* kind, unsigned long long where, const void* octets, std::size_t count)
{
    const char* folder = std::getenv("ACMETOOL_RECORD");
    if (folder == nullptr || count == 0) return;
    std::array<char, 512> name{};
    std::snprintf(name.data(), name.size(), "%s/%s-%d-%llx", folder, kind, static_cast<int>(getpid()), where);
    const int file = open(name.data(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) return;
    std::uint32_t length = static_cast<std::uint32_t>(count);
    const std::array<iovec, 2> parts{{{&length, sizeof length}, {const_cast<void*>(octets), count}}};
    if (writev(file, parts.data(), parts.size()) < 0) std::perror(name.data());
    close(file);
}

void record_tls(SSL* ssl, bool written, const void* octets, std::size_t count)
{
    const bool from_server = (SSL_is_server(ssl) != 0) == written;
    // What one end wrote, the other end reads: one of them is enough where both are ours.
    record(from_server ? (written ? "tls-server" : "tls-server-read")
                       : (written ? "tls-client" : "tls-client-read"),
           reinterpret_cast<std::uintptr_t>(ssl), octets, count);
}

void record_datagram(int socket, const void* octets, ssize_t count)
{
    int type = 0;
    socklen_t size = sizeof type;
    if (count > 0 && getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM)
        record("datagram", static_cast<unsigned long long>(socket), octets, static_cast<std::size_t>(count));
}

} // namespace

extern "C" {

int SSL_read(SSL* ssl, void* octets, int count)
{
    static auto* real = next<int(SSL*, void*, int)>("SSL_read");
    const int got = real(ssl, octets, count);
    if (got > 0) record_tls(ssl, false, octets, static_cast<std::size_t>(got));
    return got;
}

int SSL_read_ex(SSL* ssl, void* octets, size_t count, size_t* got)
{
    static auto* real = next<int(SSL*, void*, size_t, size_t*)>("SSL_read_ex");
    const int good = real(ssl, octets, count, got);
    if (good == 1) record_tls(ssl, false, octets, *got);
    return good;
}

int SSL_write(SSL* ssl, const void* octets, int count)
{
    static auto* real = next<int(SSL*, const void*, int)>("SSL_write");
    const int sent = real(ssl, octets, count);
    if (sent > 0) record_tls(ssl, true, octets, static_cast<std::size_t>(sent));
    return sent;
}

int SSL_write_ex(SSL* ssl, const void* octets, size_t count, size_t* sent)
{
    static auto* real = next<int(SSL*, const void*, size_t, size_t*)>("SSL_write_ex");
    const int good = real(ssl, octets, count, sent);
    if (good == 1) record_tls(ssl, true, octets, *sent);
    return good;
}

X509* d2i_X509(X509** into, const unsigned char** at, long count)
{
    static auto* real = next<X509*(X509**, const unsigned char**, long)>("d2i_X509");
    const auto* begin = *at;
    X509* certificate = real(into, at, count);
    if (certificate != nullptr) record("certificate", 0, begin, static_cast<std::size_t>(*at - begin));
    return certificate;
}

ssize_t recvfrom(int socket, void* octets, size_t count, int flags, sockaddr* from, socklen_t* size)
{
    static auto* real = next<ssize_t(int, void*, size_t, int, sockaddr*, socklen_t*)>("recvfrom");
    const auto got = real(socket, octets, count, flags, from, size);
    record_datagram(socket, octets, got);
    return got;
}

ssize_t recv(int socket, void* octets, size_t count, int flags)
{
    static auto* real = next<ssize_t(int, void*, size_t, int)>("recv");
    const auto got = real(socket, octets, count, flags);
    record_datagram(socket, octets, got);
    return got;
}

ssize_t recvmsg(int socket, msghdr* message, int flags)
{
    static auto* real = next<ssize_t(int, msghdr*, int)>("recvmsg");
    const auto got = real(socket, message, flags);
    if (got > 0 && message->msg_iovlen == 1) record_datagram(socket, message->msg_iov[0].iov_base, got);
    return got;
}

} // extern "C"
