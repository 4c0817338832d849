/* SPDX-License-Identifier: MIT
 * The header of packed bytes. */
#include "layouts/packed.h"

#include "layouts/checksum.h"

#include <string.h>

enum { VERSION = 2, FINISHED = 1 };
static const char MAGIC[8] = {'t', 'm', 'a', 'c', 'p', 'a', 'c', 'k'};

/* Numbers in the byte order of the machine; BYTE_ORDER_MARK tells a foreign one. */
struct header {
    char magic[8];
    uint32_t byte_order;
    uint32_t version;
    int64_t rows, cols, group, super_group;
    uint8_t width, layout, scale_type, zero_kind, sub_format, whole_row, scale_unit, finished;
    float zero;
    uint8_t sub_bits;
    uint8_t reserved[3];    /* zero */
    uint64_t bytes;         /* of header and tiles */
    uint64_t tile_checksum; /* over all tiles, once finished */
    uint64_t more[5];       /* zero */
    uint64_t header_checksum;
};
_Static_assert(sizeof(struct header) == TMAC_PACKED_HEADER_BYTES,
               "the header has its size for good");

static const uint32_t BYTE_ORDER_MARK = 0x01020304;

static uint64_t header_checksum(const struct header *header)
{
    return tmac_checksum(header, offsetof(struct header, header_checksum));
}

void tmac_header_write(const struct tmac_shape *shape, void *packed)
{
    const struct tmac_spec *spec = &shape->spec;
    struct header header = {
        .byte_order = BYTE_ORDER_MARK,
        .version = VERSION,
        .rows = spec->rows,
        .cols = spec->cols,
        .group = spec->group,
        .super_group = spec->super_group,
        .width = (uint8_t)spec->width,
        .layout = (uint8_t)spec->layout,
        .scale_type = (uint8_t)spec->scale_type,
        .zero_kind = (uint8_t)spec->zero_kind,
        .sub_format = (uint8_t)spec->sub_format,
        .whole_row = spec->whole_row,
        .scale_unit = (uint8_t)spec->scale_unit,
        .zero = spec->zero,
        .sub_bits = (uint8_t)spec->sub_bits,
        .bytes = shape->bytes,
    };

    memcpy(header.magic, MAGIC, sizeof MAGIC);
    header.header_checksum = header_checksum(&header);
    memcpy(packed, &header, sizeof header);
}

/* What no version has given a meaning yet is refused, so that a later one may give it one. */
static bool unknown_is_zero(const struct header *header)
{
    uint64_t seen = header->reserved[0] | header->reserved[1] | header->reserved[2];

    for (size_t i = 0; i < sizeof header->more / sizeof *header->more; i++)
        seen |= header->more[i];
    return seen == 0 && header->whole_row <= 1 && header->finished <= FINISHED;
}

static struct tmac_spec header_spec(const struct header *header)
{
    return (struct tmac_spec){
        .rows = header->rows,
        .cols = header->cols,
        .group = header->group,
        .super_group = header->super_group,
        .width = (tmac_width)header->width,
        .layout = (enum tmac_layout)header->layout,
        .scale_type = (tmac_scale_type)header->scale_type,
        .zero_kind = (tmac_zero)header->zero_kind,
        .sub_format = (tmac_sub_format)header->sub_format,
        .whole_row = header->whole_row != 0,
        .zero = header->zero,
        .scale_unit = header->scale_unit,
        .sub_bits = header->sub_bits,
    };
}

tmac_status tmac_header_read(const void *packed, size_t bytes, struct tmac_shape *shape,
                             bool *finished)
{
    struct header header;
    struct tmac_spec spec;

    if (bytes < sizeof header)
        return TMAC_ERROR_PACKED_SIZE;
    memcpy(&header, packed, sizeof header);
    if (memcmp(header.magic, MAGIC, sizeof MAGIC) != 0)
        return TMAC_ERROR_PACKED_MAGIC;
    if (header.byte_order != BYTE_ORDER_MARK || header.version != VERSION)
        return TMAC_ERROR_PACKED_VERSION;
    if (header.header_checksum != header_checksum(&header) || !unknown_is_zero(&header))
        return TMAC_ERROR_PACKED_HEADER;
    spec = header_spec(&header);
    if (tmac_shape_init(shape, &spec) != TMAC_OK || shape->bytes != header.bytes)
        return TMAC_ERROR_PACKED_HEADER;
    *finished = header.finished == FINISHED;
    return bytes < shape->bytes ? TMAC_ERROR_PACKED_SIZE : TMAC_OK;
}

static uint64_t tile_checksum(const struct tmac_shape *shape, const void *packed)
{
    return tmac_checksum((const uint8_t *)packed + TMAC_PACKED_HEADER_BYTES,
                         shape->bytes - TMAC_PACKED_HEADER_BYTES);
}

void tmac_header_finish(const struct tmac_shape *shape, void *packed)
{
    struct header header;

    memcpy(&header, packed, sizeof header);
    header.finished = FINISHED;
    header.tile_checksum = tile_checksum(shape, packed);
    header.header_checksum = header_checksum(&header);
    memcpy(packed, &header, sizeof header);
}

bool tmac_header_checksum_matches(const struct tmac_shape *shape, const void *packed)
{
    struct header header;

    memcpy(&header, packed, sizeof header);
    return header.tile_checksum == tile_checksum(shape, packed);
}
