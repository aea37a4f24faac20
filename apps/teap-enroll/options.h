#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/program.h"

namespace acmetool::cli
{

/// The options of teap-enroll.
struct TeapOptions {
    std::string radius = "127.0.0.1:1812";
    std::string secret_file;
    std::string identity = "anonymous";
    std::string cert;
    std::string key;
    std::string server_name;
    std::string new_key;
    std::string key_out;
    std::string journal;
    std::string csr;
    std::vector<std::string> dns;
    bool request = false;
    bool want_root = false;
    std::string save_root;
    std::string kdf = "auto";
    std::string msk_no_inner = "imck1";
    std::string tls_version;
    bool no_identity_type = false;
    bool no_crypto_binding = false;
    unsigned fragment_size = 1020;
    base::Milliseconds retransmit{3000};
    std::string keylog;
    std::string expect;
    bool pause = false;
    bool show_tlvs = false;
    unsigned count = 1;
    unsigned parallel = 1;
    std::string manufacturer_ta;
    std::vector<std::string> crl;
    std::string idevid;
    std::string idevid_key;
    std::string format = "cms";
    bool allow_nonceless = false;
    bool refuse_nai = false;
    std::string save_voucher;
    std::vector<std::string> numbers;
};

void add_teap(Verb& verb, TeapOptions& options);
/// Errc::usage if an option is wrong or options cannot be combined.
Result<void> check(const TeapOptions& options);

} // namespace acmetool::cli
