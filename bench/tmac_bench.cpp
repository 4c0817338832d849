// SPDX-License-Identifier: MIT
//
// libtmac measured beside llama.cpp and the roofs of this machine. bench/run calls it for you;
// this takes Google Benchmark's options, and those below.
#include "energy.h"
#include "roofline.h"
#include "rows.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <unistd.h>

#ifndef BENCH_COMPILER
#define BENCH_COMPILER __VERSION__
#endif

namespace
{

const char usage[] =
    "\n"
    "  --peer=FOLDER     with libggml-base.so and libggml-cpu-*.so; default: TMAC_PEER\n"
    "  --outliers        activations with outlier channels: one in 128 is 10 to 30 times as large\n"
    "  --budget=SECONDS  to spend on each row's calls; default: 0.15\n";

// Names without the settings that are the same for every row ("/iterations:1/manual_time").
template <class Reporter>
class ShortNames : public Reporter
{
  public:
    using Run = benchmark::BenchmarkReporter::Run;
    using Reporter::Reporter;

    void ReportRuns(const std::vector<Run> &given) override
    {
        std::vector<Run> runs = given;
        for (Run &run : runs) {
            run.run_name.iterations.clear();
            run.run_name.time_type.clear();
        }
        Reporter::ReportRuns(runs);
    }
};

struct Options {
    std::string peer;
};

// False for an argument that is not known.
bool read_option(const std::string &argument, Options &options)
{
    if (argument.rfind("--peer=", 0) == 0)
        options.peer = argument.substr(7);
    else if (argument.rfind("--budget=", 0) == 0)
        measure_budget = std::atof(argument.c_str() + 9);
    else if (argument == "--outliers")
        outlier_channels = true;
    else
        return false;
    return true;
}

std::string cpu_model()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.rfind("model name", 0) == 0)
            return line.substr(line.find(':') + 2);
    return "unknown CPU";
}

Peer open_peer(const std::string &folder, const char *variant, const std::string &context)
{
    char reason[256] = "no folder given";
    peer *p = nullptr;

    if (!folder.empty() && peer_open(folder.c_str(), variant, &p, reason, sizeof reason))
        p = nullptr;
    if (!p)
        std::fprintf(stderr, "no peer%s%s: %s\n", variant ? " " : "", variant ? variant : "",
                     reason);
    benchmark::AddCustomContext(context, p ? peer_variant(p) : "none");
    return Peer(p);
}

// The best variant here, and the one for AVX2.
std::vector<Peer> open_peers(const std::string &folder)
{
    std::vector<Peer> peers;

    for (const char *variant : {static_cast<const char *>(nullptr), "haswell"}) {
        Peer p = open_peer(folder, variant, variant ? "peer_avx2" : "peer_best");
        if (p &&
            (peers.empty() || std::string(peer_variant(peers[0].get())) != peer_variant(p.get())))
            peers.push_back(std::move(p));
    }
    return peers;
}

void add_context()
{
    std::string isas;

    for (const Engine &engine : all_engines())
        if (engine.family == TMAC_FAMILY_AUTO && engine.mode == TMAC_MODE_DEFAULT)
            isas += (isas.empty() ? "" : " ") + engine.isa;
    benchmark::AddCustomContext("cpu", cpu_model());
    benchmark::AddCustomContext("compiler", BENCH_COMPILER);
    benchmark::AddCustomContext("libtmac", tmac_version_text());
    benchmark::AddCustomContext("isas", isas);
    benchmark::AddCustomContext("formats", formats_by_width());
    benchmark::AddCustomContext("dot", roofline_dot_instruction());
    benchmark::AddCustomContext("lookup", roofline_lookup_instruction());
    benchmark::AddCustomContext("rapl", energy_meter().packages());
}

void add_all_rows(const std::vector<Peer> &peers)
{
    const std::vector<Format> &formats = all_formats();

    add_roof_rows();
    for (size_t i = 0; i < formats.size(); i++) {
        add_tmac_rows(formats[i]);
        add_baseline_rows(formats[i]);
        for (const Peer &p : peers)
            add_peer_rows(p.get(), formats[i]);
    }
}

// Google Benchmark wants a file reporter exactly when there is a file.
bool writes_file(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (std::string(argv[i]).rfind("--benchmark_out=", 0) == 0)
            return true;
    return false;
}

void run_all(bool to_file)
{
    using Console = benchmark::ConsoleReporter;
    ShortNames<Console> console(isatty(STDOUT_FILENO) ? Console::OO_ColorTabular
                                                      : Console::OO_None);
    ShortNames<benchmark::JSONReporter> file;

    if (benchmark::GetBenchmarkFilter().empty())
        benchmark::SetBenchmarkFilter(".");
    benchmark::RunSpecifiedBenchmarks(&console, to_file ? &file : nullptr);
}

} // namespace

int main(int argc, char **argv)
{
    const char *peer_folder = std::getenv("TMAC_PEER");
    Options options = {peer_folder ? peer_folder : ""};
    const bool to_file = writes_file(argc, argv);

    benchmark::Initialize(&argc, argv, [] {
        std::puts("usage: tmac_bench [options of Google Benchmark: --benchmark_filter=REGEX ...]");
        std::puts(usage);
    });
    for (int i = 1; i < argc; i++)
        if (!read_option(argv[i], options)) {
            std::fprintf(stderr, "%s: unknown option %s\n", argv[0], argv[i]);
            return 2;
        }
    const std::vector<Peer> peers = open_peers(options.peer);
    add_context();
    add_all_rows(peers);
    run_all(to_file);
    forget_peer_matrix();
    forget_baseline_matrix();
    forget_tmac_weights();
    return 0;
}
