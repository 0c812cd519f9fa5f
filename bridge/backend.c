/* SPDX-License-Identifier: Apache-2.0 */
/* Life of a backend; see backend.h. */
#include "bridge/backend.h"

#include "base/cpu.h"

void lutra_backend_settings_default(LutraBackendSettings *settings) {
    *settings = (LutraBackendSettings){.threads = 1,
                                       .maximum_key_bytes = (uint64_t)8 << 30,
                                       .cpu_flags = LUTRA_CPU_ALL};
}

LutraStatus lutra_backend_check(const LutraBackendOperations *operations, LutraError *error) {
    void *context = NULL;
    if (operations->generate_keys != NULL) {
        return LUTRA_OK;
    }
    const LutraStatus status = operations->create(&context, NULL, NULL, error);
    LUTRA_ASSERT(status != LUTRA_OK && context == NULL);
    return status;
}

LutraStatus lutra_backend_create(LutraBackend *backend, const LutraBackendOperations *operations,
                                 const LutraCryptoParameters *parameters,
                                 const LutraBackendSettings *settings, LutraError *error) {
    LUTRA_ASSERT(operations != NULL && operations->create != NULL);
    *backend = (LutraBackend){.operations = operations, .context = NULL};
    return operations->create(&backend->context, parameters, settings, error);
}

void lutra_backend_destroy(LutraBackend *backend) {
    if (backend != NULL && backend->context != NULL) {
        backend->operations->destroy(&backend->context);
    }
}
