// SPDX-License-Identifier: MIT
#include "energy.h"

#include <filesystem>
#include <fstream>

namespace
{

// False when there is no such file, it may not be read, or it holds something else.
template <class Value>
bool read_value(const std::string &file, Value &value)
{
    std::ifstream stream(file);
    return static_cast<bool>(stream >> value);
}

// "intel-rapl:0" is a package (AMD's has the same name); "intel-rapl:0:1" a part of it, which would
// be counted twice.
bool is_package(const std::string &name)
{
    return name.rfind("intel-rapl:", 0) == 0 && name.find(':') == name.rfind(':');
}

} // namespace

EnergyMeter::EnergyMeter(const std::string &folder)
{
    std::error_code error;
    for (const auto &entry : std::filesystem::directory_iterator(folder, error)) {
        const std::string path = entry.path().string();
        Counter counter = {path + "/energy_uj", "", 0, 0};
        if (is_package(entry.path().filename().string()) &&
            read_value(path + "/name", counter.name) && counter.name.rfind("package", 0) == 0 &&
            read_value(path + "/max_energy_range_uj", counter.range) &&
            read_value(counter.file, counter.last))
            counters.push_back(counter);
    }
}

std::string EnergyMeter::packages() const
{
    std::string names;
    for (const Counter &counter : counters)
        names += (names.empty() ? "" : " ") + counter.name;
    return names.empty() ? "none" : names;
}

double EnergyMeter::lap()
{
    uint64_t microjoules = 0;
    for (Counter &counter : counters) {
        uint64_t now = counter.last;
        read_value(counter.file, now);
        microjoules +=
            now >= counter.last ? now - counter.last : now + counter.range - counter.last;
        counter.last = now;
    }
    return static_cast<double>(microjoules) * 1e-6;
}

EnergyMeter &energy_meter()
{
    static EnergyMeter meter("/sys/class/powercap");
    return meter;
}
