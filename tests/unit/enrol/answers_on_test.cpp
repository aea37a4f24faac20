#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "enrol/answers_on.h"

using namespace acmetool;

namespace
{

/// Runs what was posted when it is told to.
class LaterExecutor final : public base::Executor
{
public:
    bool post(Task task) override
    {
        tasks.push_back(std::move(task));
        return true;
    }
    void run()
    {
        for (auto& task : std::exchange(tasks, {}))
            task();
    }

    std::vector<Task> tasks;
};

/// Keeps who asks, and answers at once if it is to.
class KeptAuthority final : public enrol::RegistrationAuthority
{
public:
    void enrol(enrol::EnrolRequest request, std::function<void(enrol::Decision)> done) override
    {
        executor = request.peer.executor;
        done(enrol::Pending{});
    }
    void csr_attributes(enrol::Peer peer, const std::string&,
                        std::function<void(enrol::AttributesDecision)> done) override
    {
        executor = peer.executor;
        kept = std::move(done);
        if (at_once) kept(enrol::CsrAttributes{});
    }
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string&) override
    {
        return {};
    }

    bool at_once = false;
    std::weak_ptr<base::Executor> executor;
    std::function<void(enrol::AttributesDecision)> kept;
};

} // namespace

TEST_CASE(
    "SCL-46: what is known at once is answered at once; what another thread finds, on the asker's executor")
{
    auto executor = std::make_shared<LaterExecutor>();
    KeptAuthority authority;
    enrol::AnswersOn answers{executor, authority};
    int answered = 0;
    const auto ask = [&] {
        answers.csr_attributes({}, "", [&answered](const enrol::AttributesDecision&) { ++answered; });
    };
    authority.at_once = true;
    ask();
    CHECK(answered == 1);
    CHECK(executor->tasks.empty());
    CHECK(authority.executor.lock() == executor);

    authority.at_once = false;
    ask();
    std::thread{[&] { authority.kept(enrol::CsrAttributes{}); }}.join();
    CHECK(answered == 1);
    executor->run();
    CHECK(answered == 2);

    // An enrolment's work goes on after a commit, which must not wait for it.
    bool decided = false;
    answers.enrol({}, [&decided](const enrol::Decision&) { decided = true; });
    CHECK_FALSE(decided);
    CHECK(authority.executor.lock() == executor);
    executor->run();
    CHECK(decided);

    ask();
    executor.reset();
    std::thread{[&] { authority.kept(enrol::CsrAttributes{}); }}.join();
    CHECK(answered == 2);
}
