// bench-floor NEW_ORDER_URL KID ACCOUNT_KEY CSR CA_FILE NONCE_FILE NAME...
//
// The least that an order on valid authorizations can cost with libcurl and OpenSSL: newOrder, finalize, one
// look at the order, certificate, on one connection, with a nonce of the run before. It checks nothing, keeps
// nothing and takes replies apart by looking for words; for measuring only.
#include <curl/curl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace
{

[[noreturn]] void give_up(const std::string& why)
{
    std::fprintf(stderr, "bench-floor: %s\n", why.c_str());
    std::exit(1);
}

std::string read_file(const std::string& path)
{
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::string base64url(const std::string& octets)
{
    std::string text(4 * (octets.size() / 3 + 1) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(octets.data()),
                                     static_cast<int>(octets.size()));
    text.resize(static_cast<std::size_t>(size));
    while (text.ends_with('='))
        text.pop_back();
    for (auto& c : text)
        c = c == '+' ? '-' : c == '/' ? '_' : c;
    return text;
}

/// R||S of a P-256 signature: the two integers of the DER form, each padded to 32 octets.
std::string fixed_signature(const std::string& der)
{
    std::string fixed;
    std::size_t at = 2;
    for (int i = 0; i < 2; ++i) {
        const auto size = static_cast<std::size_t>(der[at + 1]);
        std::string number = der.substr(at + 2, size);
        if (number.size() > 32) number.erase(0, number.size() - 32);
        fixed += std::string(32 - number.size(), '\0') + number;
        at += 2 + size;
    }
    return fixed;
}

std::string member(const std::string& json, const std::string& name)
{
    auto at = json.find("\"" + name + "\"");
    if (at == std::string::npos) return {};
    at = json.find('"', json.find(':', at)) + 1;
    return json.substr(at, json.find('"', at) - at);
}

struct Floor {
    CURL* easy = curl_easy_init();
    EVP_PKEY* key = nullptr;
    std::string kid;
    std::string nonce;
    std::string location;
    std::string body;

    std::string sign(const std::string& input) const;
    std::string post(const std::string& url, const std::string& payload);
};

std::size_t take_header(char* data, std::size_t, std::size_t size, void* user)
{
    auto& floor = *static_cast<Floor*>(user);
    const std::string line{data, size};
    const auto value = [&](std::size_t name) { return line.substr(name, line.find('\r') - name); };
    if (strncasecmp(data, "replay-nonce: ", 14) == 0) floor.nonce = value(14);
    if (strncasecmp(data, "location: ", 10) == 0) floor.location = value(10);
    return size;
}

std::size_t take_body(char* data, std::size_t, std::size_t size, void* user)
{
    static_cast<Floor*>(user)->body.append(data, size);
    return size;
}

std::string Floor::sign(const std::string& input) const
{
    EVP_MD_CTX* digest = EVP_MD_CTX_new();
    std::size_t size = 80;
    std::string der(size, '\0');
    EVP_DigestSignInit(digest, nullptr, EVP_sha256(), nullptr, key);
    EVP_DigestSign(digest, reinterpret_cast<unsigned char*>(der.data()), &size,
                   reinterpret_cast<const unsigned char*>(input.data()), input.size());
    EVP_MD_CTX_free(digest);
    der.resize(size);
    return fixed_signature(der);
}

std::string Floor::post(const std::string& url, const std::string& payload)
{
    const auto header = base64url(R"({"alg":"ES256","kid":")" + kid + R"(","nonce":")" + nonce +
                                  R"(","url":")" + url + "\"}");
    const auto content = payload.empty() ? "" : base64url(payload);
    const auto jws = R"({"protected":")" + header + R"(","payload":")" + content + R"(","signature":")" +
                     base64url(sign(header + "." + content)) + "\"}";
    body.clear();
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(jws.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, jws.c_str());
    if (curl_easy_perform(easy) != CURLE_OK) give_up(url + ": no answer");
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 400) give_up(url + ": " + body);
    return body;
}

} // namespace

int main(int argc, char** argv)
{
    if (argc < 8) give_up("too few arguments; see the head of bench/floor.cpp");
    Floor floor;
    floor.kid = argv[2];
    const std::string nonce_file = argv[6];
    BIO* const file = BIO_new_file(argv[3], "r");
    floor.key = file != nullptr ? PEM_read_bio_PrivateKey(file, nullptr, nullptr, nullptr) : nullptr;
    if (floor.key == nullptr) give_up("no account key");
    BIO_free(file);
    const std::string csr = read_file(argv[4]);

    curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/jose+json");
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(floor.easy, CURLOPT_CAINFO, argv[5]);
    curl_easy_setopt(floor.easy, CURLOPT_CAPATH, nullptr);
    curl_easy_setopt(floor.easy, CURLOPT_USERAGENT, "bench-floor");
    curl_easy_setopt(floor.easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(floor.easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(floor.easy, CURLOPT_HEADERDATA, &floor);
    curl_easy_setopt(floor.easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(floor.easy, CURLOPT_WRITEDATA, &floor);
    floor.nonce = read_file(nonce_file);
    if (floor.nonce.empty()) give_up(nonce_file + ": no nonce");

    std::string names;
    for (int i = 7; i < argc; ++i)
        names += std::string{names.empty() ? "" : ","} + R"({"type":"dns","value":")" + argv[i] + "\"}";
    auto order = floor.post(argv[1], R"({"identifiers":[)" + names + "]}");
    const auto order_url = floor.location;
    order = floor.post(member(order, "finalize"), R"({"csr":")" + base64url(csr) + "\"}");
    for (int pause = 1; member(order, "status") != "valid"; pause *= 2) {
        if (pause > 8192) give_up("the order does not become valid");
        usleep(static_cast<useconds_t>(pause) * 1000);
        order = floor.post(order_url, "");
    }
    const auto chain = floor.post(member(order, "certificate"), "");
    std::ofstream{nonce_file} << floor.nonce;
    std::fwrite(chain.data(), 1, chain.size(), stdout);
    curl_slist_free_all(headers);
    curl_easy_cleanup(floor.easy);
}
