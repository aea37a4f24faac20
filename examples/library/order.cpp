// Orders a certificate with libacmetool: order DIRECTORY-URL CA-FILE ACCOUNT-KEY <request.csr >chain.pem
// The account exists, and its authorizations cover the names of the request (acme-preauth run).
#include <acmetool/acme/order.h>
#include <acmetool/http/client.h>
#include <fstream>
#include <iostream>
#include <iterator>
#include <thread>
using namespace acmetool;

// Sends one signed request. Exchange fetches nonces, and repeats what may be repeated.
Result<acme::Reply> post(http::Client& client, acme::Session& session, acme::Post request)
{
    acme::Exchange exchange{session, std::move(request)};
    while (!exchange.result()) {
        ACMETOOL_TRY(action, exchange.next());
        if (const auto* send = std::get_if<acme::Exchange::Send>(&action))
            exchange.take(client.send(send->request), base::Context{}.now());
        else
            std::this_thread::sleep_for(std::get<acme::Exchange::Pause>(action).duration);
    }
    return *exchange.result();
}

Result<std::string> order(http::Client& client, std::string url, std::string key_pem, std::string request)
{
    ACMETOOL_TRY(csr, crypto::parse_csr(request));
    ACMETOOL_TRY(key, crypto::parse_private_key(key_pem, "the account's key"));
    ACMETOOL_TRY(reply, client.send({http::Method::get, url, {}, {}}));
    ACMETOOL_TRY(directory, acme::parse_directory(reply.body, url));
    acme::Session session{directory, key, {}, {}};
    acme::Post look_up{acme::Step::new_account, url, directory.new_account, R"({"onlyReturnExisting":true})"};
    look_up.by_jwk = true; // the account's URL is not known yet
    ACMETOOL_TRY(account, post(client, session, look_up));
    session.account_url = account.location;
    // OrderFlow says what to do next, from newOrder to the certificate, and checks what the CA answers.
    acme::OrderFlow flow{{csr.identifiers, {}, {}, csr.der, csr.key}, acme::OrderFlow::Goal::downloaded};
    while (flow.chain_text().empty()) {
        ACMETOOL_TRY(action, flow.next(directory));
        if (const auto* send = std::get_if<acme::OrderFlow::Send>(&action))
            ACMETOOL_CHECK(flow.take(post(client, session, send->post), base::Context{}.now()));
        else if (const auto* pause = std::get_if<acme::OrderFlow::Pause>(&action))
            std::this_thread::sleep_for(pause->duration);
        else
            return fail(Errc::authorization_needed, "the order is pending: authorize its names first");
    }
    return flow.chain_text();
}

int main(int argc, char** argv)
{
    if (argc != 4) return 64;
    base::Context context; // clock, log and cancellation; a program overrides what it needs
    http::ClientOptions options;
    options.ca_file = argv[2];
    http::Client client{options, context};
    const auto all_of = [](std::istream&& in) { return std::string{std::istreambuf_iterator<char>{in}, {}}; };
    const auto chain = order(client, argv[1], all_of(std::ifstream{argv[3]}), all_of(std::move(std::cin)));
    return chain ? (std::cout << *chain, 0) : (std::cerr << chain.error().message << '\n', 1);
}
