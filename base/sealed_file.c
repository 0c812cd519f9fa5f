/* SPDX-License-Identifier: Apache-2.0 */
/* Binary files with a checksum; see sealed_file.h. */
#include "base/sealed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

enum {
    HEADER_BYTES = LUTRA_SEALED_MAGIC_BYTES + 8,
    TRAILER_BYTES = 16,
    CHUNK_BYTES = 1 << 16,
    CHUNK_NUMBERS = CHUNK_BYTES / 8
};

static void put_number(uint8_t *to, uint64_t number) {
    for (unsigned i = 0; i < 8; i++) {
        to[i] = (uint8_t)(number >> 8 * i);
    }
}

static uint64_t number_at(const uint8_t *from) {
    uint64_t number = 0;
    for (unsigned i = 0; i < 8; i++) {
        number |= (uint64_t)from[i] << 8 * i;
    }
    return number;
}

static void make_header(uint8_t header[HEADER_BYTES], const LutraSealedKind *kind) {
    memcpy(header, kind->magic, LUTRA_SEALED_MAGIC_BYTES);
    put_number(header + LUTRA_SEALED_MAGIC_BYTES, kind->version);
}

/* --- writing ---------------------------------------------------------------------------------- */

static LutraStatus write_error(const LutraSealedWriter *writer, LutraError *error) {
    return lutra_error_set(error, LUTRA_EIO, "cannot write '%s': %s", writer->path,
                           strerror(errno));
}

static LutraStatus append(LutraSealedWriter *writer, const void *data, size_t bytes,
                          LutraError *error) {
    if (bytes > 0 && fwrite(data, 1, bytes, writer->stream) != bytes) {
        return write_error(writer, error);
    }
    lutra_checksum_bytes(&writer->checksum, data, bytes);
    return LUTRA_OK;
}

LutraStatus lutra_sealed_create(LutraSealedWriter *writer, const char *path,
                                const LutraSealedKind *kind, bool force, LutraError *error) {
    uint8_t header[HEADER_BYTES];
    LutraStatus status = LUTRA_OK;
    *writer = (LutraSealedWriter){0};
    lutra_checksum_start(&writer->checksum);
    LUTRA_TRY(lutra_file_check_output(path, force, error));
    LUTRA_TRY_GOTO(status, lutra_string_copy(&writer->path, path, error));
    LUTRA_TRY_GOTO(status, lutra_file_partial_name(&writer->partial, path, error));
    (void)unlink(writer->partial); /* what is there may be readable by others */
    const int descriptor =
        open(writer->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    writer->stream = descriptor < 0 ? NULL : fdopen(descriptor, "wb");
    if (writer->stream == NULL) {
        status = write_error(writer, error);
        if (descriptor >= 0) {
            (void)close(descriptor);
        }
        goto done;
    }
    make_header(header, kind);
    status = append(writer, header, sizeof header, error);
done:
    if (status != LUTRA_OK) {
        lutra_sealed_abandon(writer);
    }
    return status;
}

LutraStatus lutra_sealed_put(LutraSealedWriter *writer, const void *data, size_t bytes,
                             LutraError *error) {
    LUTRA_TRY(append(writer, data, bytes, error));
    writer->bytes += bytes;
    return LUTRA_OK;
}

LutraStatus lutra_sealed_put_u64(LutraSealedWriter *writer, const uint64_t *numbers, size_t count,
                                 LutraError *error) {
    uint8_t chunk[CHUNK_BYTES];
    for (size_t first = 0; first < count; first += CHUNK_NUMBERS) {
        const size_t rest = count - first;
        const size_t taken = rest < CHUNK_NUMBERS ? rest : CHUNK_NUMBERS;
        for (size_t i = 0; i < taken; i++) {
            put_number(chunk + 8 * i, numbers[first + i]);
        }
        LUTRA_TRY(lutra_sealed_put(writer, chunk, 8 * taken, error));
    }
    return LUTRA_OK;
}

static void forget(LutraSealedWriter *writer) {
    lutra_free(&writer->path);
    lutra_free(&writer->partial);
    *writer = (LutraSealedWriter){0};
}

LutraStatus lutra_sealed_commit(LutraSealedWriter *writer, LutraError *error) {
    uint8_t trailer[TRAILER_BYTES];
    put_number(trailer, writer->bytes);
    LutraStatus status = append(writer, trailer, 8, error);
    put_number(trailer + 8, lutra_checksum_value(&writer->checksum));
    if (status == LUTRA_OK && fwrite(trailer + 8, 1, 8, writer->stream) != 8) {
        status = write_error(writer, error);
    }
    if (status == LUTRA_OK) {
        FILE *const stream = writer->stream;
        writer->stream = NULL;
        status = fclose(stream) == 0
                     ? lutra_file_publish(writer->partial, writer->path, true, error)
                     : write_error(writer, error);
    }
    if (status != LUTRA_OK) {
        lutra_sealed_abandon(writer);
        return status;
    }
    forget(writer);
    return LUTRA_OK;
}

void lutra_sealed_abandon(LutraSealedWriter *writer) {
    if (writer->stream != NULL) {
        (void)fclose(writer->stream);
    }
    if (writer->partial != NULL) {
        (void)unlink(writer->partial);
    }
    forget(writer);
}

/* --- reading ---------------------------------------------------------------------------------- */

static LutraStatus damaged(const LutraSealedReader *reader, LutraError *error) {
    return lutra_error_set(error, LUTRA_EDATA, "'%s' is cut or altered: begin without this %s",
                           reader->path, reader->kind->noun);
}

static LutraStatus read_bytes(LutraSealedReader *reader, void *data, size_t bytes,
                              LutraError *error) {
    if (fread(data, 1, bytes, reader->stream) == bytes) {
        return LUTRA_OK;
    }
    return ferror(reader->stream) != 0
               ? lutra_error_set(error, LUTRA_EIO, "cannot read '%s': %s", reader->path,
                                 strerror(errno))
               : damaged(reader, error);
}

/** Reads everything behind the header and compares with the trailer. */
static LutraStatus check_contents(LutraSealedReader *reader, uint64_t file_bytes,
                                  const uint8_t *header, LutraError *error) {
    uint8_t chunk[CHUNK_BYTES];
    const uint64_t contents = file_bytes - HEADER_BYTES - TRAILER_BYTES;
    LutraChecksum checksum;
    lutra_checksum_start(&checksum);
    lutra_checksum_bytes(&checksum, header, HEADER_BYTES);
    for (uint64_t left = contents; left > 0;) {
        const size_t taken = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        LUTRA_TRY(read_bytes(reader, chunk, taken, error));
        lutra_checksum_bytes(&checksum, chunk, taken);
        left -= taken;
    }
    LUTRA_TRY(read_bytes(reader, chunk, TRAILER_BYTES, error));
    lutra_checksum_bytes(&checksum, chunk, 8);
    if (number_at(chunk) != contents || number_at(chunk + 8) != lutra_checksum_value(&checksum)) {
        return damaged(reader, error);
    }
    reader->bytes = contents;
    return LUTRA_OK;
}

static LutraStatus check_header(const LutraSealedReader *reader, const uint8_t *header,
                                LutraError *error) {
    uint8_t expected[HEADER_BYTES];
    make_header(expected, reader->kind);
    if (memcmp(header, expected, LUTRA_SEALED_MAGIC_BYTES) != 0) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is no %s of lutra", reader->path,
                               reader->kind->noun);
    }
    const uint64_t version = number_at(header + LUTRA_SEALED_MAGIC_BYTES);
    if (version != reader->kind->version) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' is a %s of version %llu; should be %u",
                               reader->path, reader->kind->noun, (unsigned long long)version,
                               reader->kind->version);
    }
    return LUTRA_OK;
}

LutraStatus lutra_sealed_open(LutraSealedReader *reader, const char *path,
                              const LutraSealedKind *kind, LutraError *error) {
    uint8_t header[HEADER_BYTES];
    struct stat info;
    LutraSealedReader made = {.stream = fopen(path, "rb"), .path = path, .kind = kind};
    LutraStatus status = LUTRA_OK;
    *reader = (LutraSealedReader){0};
    if (made.stream == NULL || fstat(fileno(made.stream), &info) != 0) {
        status = lutra_error_set(error, LUTRA_EIO, "cannot open '%s': %s", path, strerror(errno));
        goto done;
    }
    if (!S_ISREG(info.st_mode) || info.st_size < HEADER_BYTES + TRAILER_BYTES) {
        status = lutra_error_set(error, LUTRA_EDATA, "'%s' is no %s of lutra", path, kind->noun);
        goto done;
    }
    LUTRA_TRY_GOTO(status, read_bytes(&made, header, HEADER_BYTES, error));
    LUTRA_TRY_GOTO(status, check_header(&made, header, error));
    LUTRA_TRY_GOTO(status, check_contents(&made, (uint64_t)info.st_size, header, error));
    if (fseeko(made.stream, HEADER_BYTES, SEEK_SET) != 0) {
        status = lutra_error_set(error, LUTRA_EIO, "cannot read '%s': %s", path, strerror(errno));
        goto done;
    }
    *reader = made;
    made = (LutraSealedReader){0};
done:
    lutra_sealed_close(&made);
    return status;
}

LutraStatus lutra_sealed_take(LutraSealedReader *reader, void *data, size_t bytes,
                              LutraError *error) {
    if (bytes > reader->bytes) {
        return damaged(reader, error);
    }
    LUTRA_TRY(read_bytes(reader, data, bytes, error));
    reader->bytes -= bytes;
    return LUTRA_OK;
}

LutraStatus lutra_sealed_take_u64(LutraSealedReader *reader, uint64_t *numbers, size_t count,
                                  LutraError *error) {
    uint8_t chunk[CHUNK_BYTES];
    if (count > reader->bytes / 8) {
        return damaged(reader, error);
    }
    for (size_t first = 0; first < count; first += CHUNK_NUMBERS) {
        const size_t rest = count - first;
        const size_t taken = rest < CHUNK_NUMBERS ? rest : CHUNK_NUMBERS;
        LUTRA_TRY(lutra_sealed_take(reader, chunk, 8 * taken, error));
        for (size_t i = 0; i < taken; i++) {
            numbers[first + i] = number_at(chunk + 8 * i);
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_sealed_end(const LutraSealedReader *reader, LutraError *error) {
    return reader->bytes == 0 ? LUTRA_OK : damaged(reader, error);
}

void lutra_sealed_close(LutraSealedReader *reader) {
    if (reader->stream != NULL) {
        (void)fclose(reader->stream);
    }
    *reader = (LutraSealedReader){0};
}
