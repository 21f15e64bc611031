#include <doctest/doctest.h>

#include <condition_variable>

#include "core/report/live_progress.h"

using namespace ysdb;

TEST_CASE("a progress line says how far, how fast and how long") {
    CHECK(progress_line({"public.t", ProgressUnit::rows, 1'350'000, 3'000'000, 3.3, 410'000, ""}) ==
          "public.t  45 %  1,350,000 of 3,000,000 rows  410,000 rows/s  4.0 s left");
    CHECK(progress_line({"file", ProgressUnit::bytes, 1536, std::nullopt, 1, 1024, ""}) == "file  1.5 KiB  1.0 KiB/s");
    CHECK(progress_line({"migrate", ProgressUnit::steps, 3, 10, 1, 0, "waiting for a lock"}) ==
          "migrate  30 %  3 of 10 steps  waiting for a lock");
}

TEST_CASE("an estimate that was passed says nothing more") {
    CHECK(progress_line({"t", ProgressUnit::rows, 12, 10, 1, 0, ""}) == "t  12 rows");
    CHECK(!eta_seconds({"t", ProgressUnit::rows, 12, 10, 1, 5, ""}));
}

TEST_CASE("a label cannot steer the terminal") {
    CHECK(progress_line({"a\x1b[2J", ProgressUnit::rows, 1, std::nullopt, 1, 0, ""}) == "a\\x1b[2J  1 rows");
}

TEST_CASE("the terminal shows the line while work goes on and is clean after it") {
    std::mutex mutex;
    std::condition_variable written;
    std::string screen;
    Log log(LogLevel::error, LogFormat::text, false);
    {
        LiveProgress progress(log, LiveProgress::Terminal{[&](std::string_view text) {
                                                              const std::lock_guard lock(mutex);
                                                              screen += text;
                                                              written.notify_all();
                                                          },
                                                          80});
        const auto task = progress.begin("public.t", ProgressUnit::rows, 100);
        task->add(10);
        std::unique_lock lock(mutex);
        CHECK(written.wait_for(lock, std::chrono::seconds(20),
                               [&] { return screen.find("public.t  10 %  10 of 100 rows") != std::string::npos; }));
    }
    CHECK(screen.ends_with("\r\x1b[K"));
}
