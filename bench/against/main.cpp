// SPDX-License-Identifier: MIT
//
// against old.so new.so [option...]: see bench/against/run --help.
#include "library.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sched.h>
#include <stdexcept>
#include <unistd.h>

namespace
{

struct Usage : std::runtime_error {
    using runtime_error::runtime_error;
};

Family family_named(const std::string &name)
{
    for (Family family : {Family::Auto, Family::Lookup, Family::Direct})
        if (name == text(family))
            return family;
    throw Usage("no family " + name);
}

Mode mode_named(const std::string &name)
{
    for (Mode mode : {Mode::Default, Mode::Exact, Mode::Fast})
        if (name == text(mode))
            return mode;
    throw Usage("no mode " + name);
}

double number(const std::string &word, double least)
{
    char *end = nullptr;
    const double value = std::strtod(word.c_str(), &end);

    if (word.empty() || *end || !(value >= least))
        throw Usage("not a number of the right kind: " + word);
    return value;
}

// As many CPUs as threads, from `first` on; -1: the last ones.
void pin(int first, int threads)
{
    const int cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_CONF));
    cpu_set_t set;

    if (first < 0)
        first = threads < cpus ? cpus - threads : 0;
    CPU_ZERO(&set);
    for (int i = 0; i < threads; i++)
        CPU_SET(static_cast<size_t>(first + i), &set);
    if (sched_setaffinity(0, sizeof set, &set))
        std::fprintf(stderr, "against: cannot be pinned to CPU %d\n", first);
}

int run(int argc, char **argv)
{
    Options options;
    int cpu = -1;

    if (argc < 3)
        throw Usage("against old.so new.so [option...]");
    for (int i = 3; i < argc; i++) {
        const std::string option = argv[i];
        const auto value = [&]() -> std::string {
            if (i + 1 >= argc)
                throw Usage(option + " needs a value");
            return argv[++i];
        };
        if (option == "--filter")
            options.filter = std::regex(value());
        else if (option == "--quick")
            options.quick = true;
        else if (option == "--bits")
            options.bits = true;
        else if (option == "--tables")
            options.tables = true;
        else if (option == "--threads")
            options.threads = static_cast<int>(number(value(), 1));
        else if (option == "--seconds")
            options.seconds = number(value(), 0);
        else if (option == "--cpu")
            cpu = static_cast<int>(number(value(), 0));
        else if (option == "--family")
            options.family = family_named(value()), options.family_given = true;
        else if (option == "--mode")
            options.mode = mode_named(value()), options.mode_given = true;
        else
            throw Usage("no option " + option);
    }
    // Before the libraries are there: OpenMP looks at it when it is loaded.
    pin(cpu, options.threads);
    const Sides sides = load(argv[1], argv[2]);
    return options.bits ? bits_main(sides, options) : race_main(sides, options);
}

} // namespace

int main(int argc, char **argv)
{
    try {
        return run(argc, argv);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "against: %s\n", error.what());
        return 2;
    }
}
