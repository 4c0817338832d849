// SPDX-License-Identifier: MIT
//
// Two libraries in one process, and their handles as C++ owns things: freed by themselves, errors
// thrown.
#ifndef TMAC_AGAINST_LIBRARY_H
#define TMAC_AGAINST_LIBRARY_H

#include "data.h"

#include <array>
#include <memory>
#include <regex>

struct Options {
    std::regex filter{"."};
    bool quick = false, bits = false, tables = false;
    int threads = 1;
    Family family = Family::Auto;
    bool family_given = false;
    Mode mode = Mode::Default;
    bool mode_given = false;
    double seconds = 0.35; // a row is raced for at first
};

bool matches(const Options &options, const std::string &name);
const char *text(Family family);
const char *text(Mode mode);
std::string text(const Shape &shape);

// By name; those that only one library knows, or none, are left out with a word.
extern const std::vector<const char *> vector_isas;

enum { OLD, NEW };
extern const char *const side_names[2];

using Sides = std::array<const Side *, 2>;
Sides load(const char *old_path, const char *new_path);

using Handle = std::unique_ptr<void, void (*)(void *)>;

// What a library did, or why it would not.
struct Outcome {
    Handle handle{nullptr, nullptr};
    std::string error; // empty: none
};

Outcome open(const Side &side, const Engine &engine);
Outcome pack(const Side &side, const Handle &context, const Matrix &matrix);
Packed query(const Side &side, const Handle &weights);
Handle create_tables(const Side &side, const Handle &context, const Handle &weights, int64_t batch);
void check(const Side &side, int status, const char *what);

using Outcomes = std::array<Outcome, 2>;
// Whether both did it. Says which did not and why, unless that was said before.
bool both(const Outcomes &outcomes, const std::string &what);

int bits_main(const Sides &sides, const Options &options);
int race_main(const Sides &sides, const Options &options);

#endif
