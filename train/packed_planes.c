/* SPDX-License-Identifier: Apache-2.0 */
#include "train/packed_planes_priv.h"

LutraPackedPlanes lutra_packed_planes(const LutraConvShape *shape, size_t planes) {
    LutraPackedPlanes made = {.pitch = (size_t)shape->in_width + (2 * (size_t)shape->padding)};
    made.plane_words = made.pitch * ((size_t)shape->in_height + (2 * (size_t)shape->padding));
    made.group_words = made.plane_words * planes;
    return made;
}

void lutra_packed_taps(uint32_t *offsets, const LutraConvShape *shape,
                       const LutraPackedPlanes *planes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t a = 0; a < shape->kernel_height; a++) {
            for (size_t b = 0; b < shape->kernel_width; b++) {
                *offsets++ = (uint32_t)((i * planes->plane_words) + (a * planes->pitch) + b);
            }
        }
    }
}

void lutra_packed_positions(uint32_t *offsets, const LutraConvShape *shape,
                            const LutraPackedPlanes *planes, size_t groups) {
    for (size_t g = 0; g < groups; g++) {
        for (size_t r = 0; r < shape->out_height; r++) {
            for (size_t s = 0; s < shape->out_width; s++) {
                *offsets++ = (uint32_t)((g * planes->group_words) +
                                        (r * shape->stride * planes->pitch) + (s * shape->stride));
            }
        }
    }
}
