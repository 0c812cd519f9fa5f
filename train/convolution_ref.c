/* SPDX-License-Identifier: Apache-2.0 */
/* The plain loops that say what a convolution and its gradients are. */
#include "train/convolution.h"

/* One product of a convolution: result position (n, r, s), input element and weight k. */
typedef struct {
    bool inside;
    size_t element; /* within the plane of channel and image */
} Tap;

static Tap tap_at(const LutraConvShape *shape, size_t r, size_t s, size_t a, size_t b) {
    const size_t row = (r * shape->stride) + a;
    const size_t column = (s * shape->stride) + b;
    const size_t pad = shape->padding;
    const Tap outside = {false, 0};
    if (row < pad || column < pad || row - pad >= shape->in_height ||
        column - pad >= shape->in_width) {
        return outside;
    }
    return (Tap){true, ((row - pad) * shape->in_width) + (column - pad)};
}

static double value_at(const LutraConvInput *input, size_t index) {
    return input->bytes != NULL ? (double)input->bytes[index] + (double)input->code_min
                                : (double)input->sums[index];
}

static size_t plane_start(const LutraConvShape *shape, size_t channel, size_t image) {
    return ((channel * shape->images) + image) * shape->in_height * shape->in_width;
}

static double patch_product(const LutraConvShape *shape, const LutraConvInput *input,
                            const float *weights, size_t image, size_t r, size_t s) {
    double total = 0.0;
    size_t k = 0;
    for (size_t i = 0; i < shape->in_channels; i++) {
        for (size_t a = 0; a < shape->kernel_height; a++) {
            for (size_t b = 0; b < shape->kernel_width; b++, k++) {
                const Tap tap = tap_at(shape, r, s, a, b);
                if (tap.inside) {
                    const size_t at = plane_start(shape, i, image) + tap.element;
                    total += (double)weights[k] * value_at(input, at);
                }
            }
        }
    }
    return total;
}

void lutra_conv_forward_ref(float *sums, const LutraConvShape *shape, LutraConvInput input,
                            const float *weights) {
    const size_t fan_in = lutra_conv_fan_in(shape);
    for (size_t o = 0; o < shape->out_channels; o++) {
        for (size_t n = 0; n < shape->images; n++) {
            for (size_t r = 0; r < shape->out_height; r++) {
                for (size_t s = 0; s < shape->out_width; s++) {
                    *sums++ = (float)patch_product(shape, &input, weights + (o * fan_in), n, r, s);
                }
            }
        }
    }
}

static double weight_gradient_of(const LutraConvShape *shape, const LutraConvInput *input,
                                 const float *out_gradient, size_t i, size_t a, size_t b) {
    double total = 0.0;
    for (size_t n = 0; n < shape->images; n++) {
        for (size_t r = 0; r < shape->out_height; r++) {
            for (size_t s = 0; s < shape->out_width; s++) {
                const double g = (double)*out_gradient++;
                const Tap tap = tap_at(shape, r, s, a, b);
                if (tap.inside) {
                    total += g * value_at(input, plane_start(shape, i, n) + tap.element);
                }
            }
        }
    }
    return total;
}

void lutra_conv_weight_gradient_ref(float *gradient, const LutraConvShape *shape,
                                    LutraConvInput input, const float *out_gradient, float alpha) {
    const size_t channel = shape->images * lutra_conv_positions(shape);
    for (size_t o = 0; o < shape->out_channels; o++) {
        for (size_t i = 0; i < shape->in_channels; i++) {
            for (size_t a = 0; a < shape->kernel_height; a++) {
                for (size_t b = 0; b < shape->kernel_width; b++) {
                    *gradient++ = (float)((double)alpha *
                                          weight_gradient_of(shape, &input,
                                                             out_gradient + (o * channel), i, a,
                                                             b));
                }
            }
        }
    }
}

static void spread_gradient(float *plane, const LutraConvShape *shape, const float *kernel,
                            const float *out_gradient, float alpha) {
    for (size_t r = 0; r < shape->out_height; r++) {
        for (size_t s = 0; s < shape->out_width; s++) {
            const float g = *out_gradient++ * alpha;
            for (size_t a = 0; a < shape->kernel_height; a++) {
                for (size_t b = 0; b < shape->kernel_width; b++) {
                    const Tap tap = tap_at(shape, r, s, a, b);
                    if (tap.inside) {
                        plane[tap.element] += g * kernel[(a * shape->kernel_width) + b];
                    }
                }
            }
        }
    }
}

void lutra_conv_input_gradient_ref(float *in_gradient, const LutraConvShape *shape,
                                   const float *weights, const float *out_gradient, float alpha) {
    const size_t in_plane = (size_t)shape->in_height * shape->in_width;
    const size_t positions = lutra_conv_positions(shape);
    const size_t taps = (size_t)shape->kernel_height * shape->kernel_width;
    for (size_t i = 0; i < shape->in_channels; i++) {
        for (size_t n = 0; n < shape->images; n++) {
            float *plane = in_gradient + plane_start(shape, i, n);
            for (size_t e = 0; e < in_plane; e++) {
                plane[e] = 0.0f;
            }
            for (size_t o = 0; o < shape->out_channels; o++) {
                spread_gradient(plane, shape, weights + (((o * shape->in_channels) + i) * taps),
                                out_gradient + (((o * shape->images) + n) * positions), alpha);
            }
        }
    }
}
