/* SPDX-License-Identifier: Apache-2.0 */
#include "train/input_slabs_priv.h"

#include <string.h>

#include "train/sizes_priv.h"

enum {
    SLAB_POSITIONS = 512,
    LEAST_SLABS = 4, /* so that small layers also run on some threads */
    GROUP_ROWS = 36, /* least rows of patches computed before they are added to planes */
    TABLE_MULTIPLE = 16
};

LutraInputSlabs lutra_input_slabs(const LutraConvShape *shape, size_t channels_of_word,
                                  size_t block_lanes, size_t lanes) {
    const size_t images = shape->images;
    const size_t positions = lutra_conv_positions(shape);
    const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
    size_t wanted = lutra_ceiling(images * positions, SLAB_POSITIONS);
    wanted = lutra_smaller(wanted < LEAST_SLABS ? LEAST_SLABS : wanted, images);
    LutraInputSlabs made = {.slab_images = lutra_ceiling(images, wanted),
                            .steps = lutra_ceiling(shape->out_channels, channels_of_word)};
    made.slabs = lutra_ceiling(images, made.slab_images);
    made.most_columns = lutra_round_up(made.slab_images * positions, block_lanes);
    made.row_words = lutra_round_up(made.steps, lanes);
    made.group_channels = lutra_smaller(lutra_ceiling(GROUP_ROWS, taps), shape->in_channels);
    made.group_rows = made.group_channels * taps;
    made.table_words = lutra_round_up(made.group_rows + made.steps, TABLE_MULTIPLE);
    return made;
}

void lutra_input_slab_tables(uint32_t *row_offsets, uint32_t *step_offsets,
                             const LutraInputSlabs *slabs) {
    for (size_t r = 0; r < slabs->group_rows; r++) {
        row_offsets[r] = (uint32_t)(r * slabs->row_words);
    }
    for (size_t s = 0; s < slabs->steps; s++) {
        step_offsets[s] = (uint32_t)s;
    }
}

void lutra_input_slab_scatter(float *to, const float *patches, size_t images,
                              const LutraConvShape *shape, const LutraInputSlabs *slabs,
                              const LutraTrainKernels *kernels) {
    const size_t plane = (size_t)shape->in_height * shape->in_width;
    const size_t positions = lutra_conv_positions(shape);
    if (plane == 1 && positions == 1 && shape->padding == 0) {
        memcpy(to, patches, images * sizeof *to);
        return;
    }
    for (size_t n = 0; n < images; n++) {
        kernels->scatter(to + (n * plane), patches + (n * positions), slabs->most_columns, shape);
    }
}
