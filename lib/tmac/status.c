/* SPDX-License-Identifier: MIT */
#include "tmac.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *tmac_version_text(void)
{
    return TEXT(TMAC_VERSION_MAJOR) "." TEXT(TMAC_VERSION_MINOR) "." TEXT(TMAC_VERSION_PATCH);
}

uint32_t tmac_version(void)
{
    return TMAC_VERSION_MAJOR * 10000 + TMAC_VERSION_MINOR * 100 + TMAC_VERSION_PATCH;
}

const char *tmac_status_text(tmac_status status)
{
    static const char *const text[] = {
        [TMAC_OK] = "success",
        [TMAC_ERROR_NULL] = "a required pointer is null",
        [TMAC_ERROR_STRUCT_SIZE] = "struct_size is not one this library knows, or members it does "
                                   "not know are set",
        [TMAC_ERROR_ENUM] = "an enumerated member has an unknown value",
        [TMAC_ERROR_SHAPE] = "rows, cols, batch or a stride is zero, negative or too small",
        [TMAC_ERROR_OVERFLOW] = "the sizes that follow from the shape do not fit in memory",
        [TMAC_ERROR_GROUP] = "the group or super-group size is not supported or does not divide "
                             "cols",
        [TMAC_ERROR_CODE] = "a code is out of range for the width",
        [TMAC_ERROR_SCALE] = "a scale or minimum is NaN or infinite",
        [TMAC_ERROR_ZERO] = "a zero point is NaN, infinite or out of range for the width",
        [TMAC_ERROR_SUB_SCALE] = "a sub-scale or sub-minimum is out of range for its format",
        [TMAC_ERROR_GGML_TYPE] = "this ggml type is not supported, or cannot hold these weights",
        [TMAC_ERROR_ISA] = "unknown instruction set name, or one that this machine lacks",
        [TMAC_ERROR_FAMILY] = "there is no lookup of 8 bits and none in the exact mode, and a "
                              "layout is of one family",
        [TMAC_ERROR_THREADS] =
            "the number of threads or parts, or the part's index, is out of range",
        [TMAC_ERROR_ROW_RANGE] = "the row range is reversed, out of range or not at a row step",
        [TMAC_ERROR_BATCH] = "the number of inputs is not what the tables hold or have room for",
        [TMAC_ERROR_TABLE_LAYOUT] = "these tables are not laid out for these weights",
        [TMAC_ERROR_NOT_BUILT] = "the tables have not been built",
        [TMAC_ERROR_BUFFER_SIZE] = "the memory given is too small",
        [TMAC_ERROR_ALIGNMENT] = "the memory given is not aligned to 64 bytes",
        [TMAC_ERROR_MEMORY] = "out of memory",
        [TMAC_ERROR_PACKED_MAGIC] = "these are not packed weights of libtmac",
        [TMAC_ERROR_PACKED_VERSION] =
            "packed by an incompatible version or with another byte order",
        [TMAC_ERROR_PACKED_HEADER] = "the header of the packed weights is damaged",
        [TMAC_ERROR_PACKED_CHECKSUM] = "the packed weights are damaged or were never finished",
        [TMAC_ERROR_PACKED_SIZE] = "the packed weights are truncated",
        [TMAC_ERROR_ALLOCATOR] = "only one of the two allocator functions is given",
        [TMAC_ERROR_CONTEXT] = "weights, tables and context do not belong together",
        [TMAC_ERROR_TUNING_FOREIGN] = "the tuning was measured on another CPU, or by another "
                                      "version of the library",
        [TMAC_ERROR_TUNING_DAMAGED] = "not a tuning of libtmac, or a damaged one",
        [TMAC_ERROR_LAYOUT] = "an unknown packed layout, or one that cannot hold these weights",
        [TMAC_ERROR_KERNEL] = "an unknown kernel, or one that this machine cannot run",
        [TMAC_ERROR_NOT_NATIVE] = "only scalar code could multiply these weights on this machine",
        [TMAC_ERROR_EXPERT] = "an expert's number is out of range, or the experts differ in shape",
        [TMAC_ERROR_INPUTS] = "neither or both of activations and tables are given",
    };

    if ((unsigned)status >= sizeof text / sizeof text[0] || !text[status])
        return "unknown status";
    return text[status];
}
