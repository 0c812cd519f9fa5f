/* SPDX-License-Identifier: Apache-2.0 */
/* Network files: any bytes are read twice alike, refused with a line number, or give a network
 * whose shapes are bounded and whose text reads back as itself. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "quant/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_network(const LutraNetwork *network, const char *text) {
    LutraNetwork again = {0};
    LutraError error = {""};
    LUTRA_ASSERT(strcmp(network->text, text) == 0);
    LUTRA_ASSERT(network->layer_count >= 2 && network->class_count >= 2);
    for (uint32_t i = 0; i < network->layer_count; i++) {
        const LutraLayer *layer = &network->layers[i];
        LUTRA_ASSERT(layer->name[0] != '\0' && layer->line > 0);
        LUTRA_ASSERT((uint64_t)layer->shape.channels * layer->shape.height * layer->shape.width <=
                     LUTRA_MAX_CIRCUIT_ELEMENTS);
        LUTRA_ASSERT(layer->shape.channels > 0 && layer->shape.height > 0 &&
                     layer->shape.width > 0);
        LUTRA_ASSERT(lutra_layer_weight_count(layer) <= (size_t)1 << 28);
    }
    LUTRA_ASSERT(network->layers[network->layer_count - 1].shape.channels == network->class_count);
    LUTRA_ASSERT(lutra_network_parse(&again, network->text, "again", &error) == LUTRA_OK);
    LUTRA_ASSERT(again.layer_count == network->layer_count);
    LUTRA_ASSERT(
        memcmp(again.layers, network->layers, network->layer_count * sizeof *network->layers) == 0);
    lutra_network_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    LutraNetwork network = {0};
    LutraError error = {""};
    LutraError second = {""};
    char *text = NULL;
    if (size > 1 << 16 || lutra_alloc(&text, size + 1, 1, NULL) != LUTRA_OK) {
        return 0;
    }
    memcpy(text, data, size); /* a zero byte ends the text */
    const LutraStatus status = lutra_network_parse(&network, text, "input", &error);
    if (status == LUTRA_OK) {
        check_network(&network, text);
    } else {
        LUTRA_ASSERT(status == LUTRA_EDATA || status == LUTRA_ENOMEM);
        LUTRA_ASSERT(error.message[0] != '\0' && network.layers == NULL);
        LUTRA_ASSERT(lutra_network_parse(&network, text, "input", &second) == status);
        LUTRA_ASSERT(strcmp(error.message, second.message) == 0);
    }
    lutra_network_deinit(&network);
    lutra_free(&text);
    return 0;
}
