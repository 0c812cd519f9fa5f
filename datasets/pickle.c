/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stack machine over nodes. Containers are linked lists of cells, so a node may stand in several
 * of them; nothing ever walks deeper than one level, so shared or circular nodes do no harm.
 */
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "datasets/pickle_priv.h"

enum { MAX_MEMO = 1 << 20, MAX_NODES = 1 << 21, NOWHERE = 0 };

typedef enum {
    NODE_NONE = 0,
    NODE_INTEGER,
    NODE_TEXT, /* bytes or unicode */
    NODE_TUPLE,
    NODE_LIST,
    NODE_DICT,        /* cells alternate between keys and values */
    NODE_NAME,        /* a recognized global */
    NODE_TYPE_U8,     /* numpy's dtype 'u1' */
    NODE_ARRAY_EMPTY, /* an array before its state is set */
    NODE_ARRAY,
    NODE_MARK
} NodeKind;

typedef enum { NAME_RECONSTRUCT = 1, NAME_NDARRAY, NAME_DTYPE } KnownName;

typedef struct {
    NodeKind kind;
    int64_t number;       /* integers, names; arrays: rows */
    int64_t columns;      /* arrays */
    const uint8_t *bytes; /* texts, arrays */
    size_t length;        /* bytes of a text or array, cells of a container */
    uint32_t first;       /* cells; NOWHERE = none */
    uint32_t last;
} Node;

typedef struct {
    uint32_t node;
    uint32_t next;
} Cell;

/* A growing array. */
typedef struct {
    void *items;
    size_t count;
    size_t capacity;
    size_t item_bytes;
} Pool;

struct LutraPickle {
    const uint8_t *data;
    size_t bytes;
    size_t at;
    Pool nodes; /* Node; index 0 is unused */
    Pool cells; /* Cell; index 0 is unused */
    Pool stack; /* uint32_t */
    Pool memo;  /* uint32_t; 0 = empty */
    uint32_t root;
    char *path;
    LutraError *error; /* of the parse that runs */
};

static LutraStatus pool_reserve(Pool *pool, size_t count, LutraError *error) {
    if (count <= pool->capacity) {
        return LUTRA_OK;
    }
    if (count > MAX_NODES) {
        return lutra_error_set(error, LUTRA_EDATA, "a pickle with too many items");
    }
    size_t wanted = pool->capacity == 0 ? 256 : pool->capacity;
    while (wanted < count) {
        wanted *= 2;
    }
    LUTRA_TRY(lutra_resize(&pool->items, pool->count, wanted, pool->item_bytes, error));
    pool->capacity = wanted;
    return LUTRA_OK;
}

static LutraStatus pool_add(Pool *pool, const void *item, LutraError *error) {
    LUTRA_TRY(pool_reserve(pool, pool->count + 1, error));
    memcpy((char *)pool->items + pool->count * pool->item_bytes, item, pool->item_bytes);
    pool->count++;
    return LUTRA_OK;
}

static Node *node_at(const LutraPickle *pickle, uint32_t index) {
    LUTRA_ASSERT(index > 0 && index < pickle->nodes.count);
    return (Node *)pickle->nodes.items + index;
}

static const Cell *cell_at(const LutraPickle *pickle, uint32_t index) {
    return (const Cell *)pickle->cells.items + index;
}

static LutraStatus refuse(const LutraPickle *pickle, const char *what) {
    return lutra_error_set(pickle->error, LUTRA_EDATA, "'%s' is not a CIFAR pickle: %s",
                           pickle->path, what);
}

/* ---- input ---- */

static LutraStatus take(LutraPickle *pickle, const uint8_t **bytes, size_t count) {
    if (count > pickle->bytes - pickle->at) {
        return lutra_error_set(pickle->error, LUTRA_EDATA, "'%s' is truncated", pickle->path);
    }
    *bytes = pickle->data + pickle->at;
    pickle->at += count;
    return LUTRA_OK;
}

/* Little-endian number of 1 to 4 bytes. */
static LutraStatus take_number(LutraPickle *pickle, uint32_t *number, size_t count) {
    const uint8_t *bytes = NULL;
    LUTRA_TRY(take(pickle, &bytes, count));
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value |= (uint32_t)bytes[i] << 8 * i;
    }
    *number = value;
    return LUTRA_OK;
}

/* One line without its '\n'. */
static LutraStatus take_line(LutraPickle *pickle, const uint8_t **line, size_t *length) {
    const uint8_t *const start = pickle->data + pickle->at;
    const uint8_t *const end = memchr(start, '\n', pickle->bytes - pickle->at);
    if (end == NULL) {
        return lutra_error_set(pickle->error, LUTRA_EDATA, "'%s' is truncated", pickle->path);
    }
    *line = start;
    *length = (size_t)(end - start);
    pickle->at += *length + 1;
    return LUTRA_OK;
}

/* ---- the stack ---- */

static LutraStatus push(LutraPickle *pickle, const Node *node) {
    const uint32_t index = (uint32_t)pickle->nodes.count;
    LUTRA_TRY(pool_add(&pickle->nodes, node, pickle->error));
    return pool_add(&pickle->stack, &index, pickle->error);
}

static LutraStatus push_kind(LutraPickle *pickle, NodeKind kind) {
    return push(pickle, &(Node){.kind = kind});
}

static LutraStatus push_integer(LutraPickle *pickle, int64_t number) {
    return push(pickle, &(Node){.kind = NODE_INTEGER, .number = number});
}

static LutraStatus push_text(LutraPickle *pickle, size_t length_bytes) {
    uint32_t length = 0;
    Node node = {.kind = NODE_TEXT};
    LUTRA_TRY(take_number(pickle, &length, length_bytes));
    LUTRA_TRY(take(pickle, &node.bytes, length));
    node.length = length;
    return push(pickle, &node);
}

static uint32_t *stack_items(const LutraPickle *pickle) {
    return pickle->stack.items;
}

/* The top of the stack; marks do not count as values. */
static LutraStatus top(const LutraPickle *pickle, uint32_t *node) {
    if (pickle->stack.count == 0 ||
        node_at(pickle, stack_items(pickle)[pickle->stack.count - 1])->kind == NODE_MARK) {
        return refuse(pickle, "a value is missing");
    }
    *node = stack_items(pickle)[pickle->stack.count - 1];
    return LUTRA_OK;
}

static LutraStatus pop(LutraPickle *pickle, uint32_t *node) {
    LUTRA_TRY(top(pickle, node));
    pickle->stack.count--;
    return LUTRA_OK;
}

/* Stack position of the last mark. */
static LutraStatus find_mark(const LutraPickle *pickle, size_t *position) {
    for (size_t i = pickle->stack.count; i > 0; i--) {
        if (node_at(pickle, stack_items(pickle)[i - 1])->kind == NODE_MARK) {
            *position = i - 1;
            return LUTRA_OK;
        }
    }
    return refuse(pickle, "a mark is missing");
}

static LutraStatus append(LutraPickle *pickle, uint32_t container, uint32_t item) {
    const uint32_t index = (uint32_t)pickle->cells.count;
    LUTRA_TRY(pool_add(&pickle->cells, &(Cell){.node = item, .next = NOWHERE}, pickle->error));
    Node *const node = node_at(pickle, container);
    if (node->first == NOWHERE) {
        node->first = index;
    } else {
        ((Cell *)pickle->cells.items)[node->last].next = index;
    }
    node->last = index;
    node->length++;
    return LUTRA_OK;
}

/* Moves the stack's items from `first` on into the container. */
static LutraStatus gather(LutraPickle *pickle, uint32_t container, size_t first) {
    for (size_t i = first; i < pickle->stack.count; i++) {
        LUTRA_TRY(append(pickle, container, stack_items(pickle)[i]));
    }
    return LUTRA_OK;
}

/* A tuple of the stack's items from `first` on replaces everything from `base` on. */
static LutraStatus make_tuple(LutraPickle *pickle, size_t base, size_t first) {
    const uint32_t index = (uint32_t)pickle->nodes.count;
    LUTRA_TRY(pool_add(&pickle->nodes, &(Node){.kind = NODE_TUPLE}, pickle->error));
    LUTRA_TRY(gather(pickle, index, first));
    pickle->stack.count = base;
    return pool_add(&pickle->stack, &index, pickle->error);
}

static LutraStatus make_short_tuple(LutraPickle *pickle, size_t count) {
    size_t base = pickle->stack.count;
    for (size_t i = 0; i < count; i++) {
        if (base == 0 || node_at(pickle, stack_items(pickle)[base - 1])->kind == NODE_MARK) {
            return refuse(pickle, "a value is missing");
        }
        base--;
    }
    return make_tuple(pickle, base, base);
}

/* APPENDS and SETITEMS: what lies above the mark goes into the container below it. */
static LutraStatus extend(LutraPickle *pickle, NodeKind kind) {
    size_t mark = 0;
    LUTRA_TRY(find_mark(pickle, &mark));
    const size_t count = pickle->stack.count - mark - 1;
    if (mark == 0 || node_at(pickle, stack_items(pickle)[mark - 1])->kind != kind ||
        (kind == NODE_DICT && count % 2 != 0)) {
        return refuse(pickle, "items without a container");
    }
    LUTRA_TRY(gather(pickle, stack_items(pickle)[mark - 1], mark + 1));
    pickle->stack.count = mark;
    return LUTRA_OK;
}

/* APPEND and SETITEM: the last `count` values go into the container below them. */
static LutraStatus extend_one(LutraPickle *pickle, NodeKind kind, size_t count) {
    uint32_t items[2] = {0, 0};
    uint32_t container = 0;
    for (size_t i = count; i > 0; i--) {
        LUTRA_TRY(pop(pickle, &items[i - 1]));
    }
    LUTRA_TRY(top(pickle, &container));
    if (node_at(pickle, container)->kind != kind) {
        return refuse(pickle, "items without a container");
    }
    for (size_t i = 0; i < count; i++) {
        LUTRA_TRY(append(pickle, container, items[i]));
    }
    return LUTRA_OK;
}

/* ---- memo ---- */

static LutraStatus memo_put(LutraPickle *pickle, uint32_t slot) {
    uint32_t node = 0;
    LUTRA_TRY(top(pickle, &node));
    if (slot >= MAX_MEMO) {
        return refuse(pickle, "a memo slot out of range");
    }
    LUTRA_TRY(pool_reserve(&pickle->memo, (size_t)slot + 1, pickle->error));
    uint32_t *const slots = pickle->memo.items;
    slots[slot] = node;
    /* New blocks are zeroed, so slots that were jumped over stay empty. */
    pickle->memo.count = slot >= pickle->memo.count ? (size_t)slot + 1 : pickle->memo.count;
    return LUTRA_OK;
}

static LutraStatus memo_get(LutraPickle *pickle, uint32_t slot) {
    const uint32_t *const slots = pickle->memo.items;
    if (slot >= pickle->memo.count || slots[slot] == 0) {
        return refuse(pickle, "an empty memo slot");
    }
    const uint32_t node = slots[slot];
    return pool_add(&pickle->stack, &node, pickle->error);
}

/* ---- numpy arrays: the one pattern of globals that is recognized ---- */

static bool same_text(const uint8_t *bytes, size_t length, const char *text) {
    return strlen(text) == length && memcmp(bytes, text, length) == 0;
}

static LutraStatus push_name(LutraPickle *pickle) {
    static const struct {
        const char *module;
        const char *name;
        KnownName known;
    } names[] = {
        {"numpy.core.multiarray", "_reconstruct", NAME_RECONSTRUCT},
        {"numpy._core.multiarray", "_reconstruct", NAME_RECONSTRUCT},
        {"numpy", "ndarray", NAME_NDARRAY},
        {"numpy", "dtype", NAME_DTYPE},
    };
    const uint8_t *module = NULL;
    const uint8_t *name = NULL;
    size_t module_length = 0;
    size_t name_length = 0;
    LUTRA_TRY(take_line(pickle, &module, &module_length));
    LUTRA_TRY(take_line(pickle, &name, &name_length));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (same_text(module, module_length, names[i].module) &&
            same_text(name, name_length, names[i].name)) {
            return push(pickle, &(Node){.kind = NODE_NAME, .number = (int64_t)names[i].known});
        }
    }
    return refuse(pickle, "it asks for code");
}

/* The `index`-th item of a tuple, NULL if there is none. */
static const Node *tuple_item(const LutraPickle *pickle, const Node *tuple, size_t index) {
    if (tuple->kind != NODE_TUPLE || index >= tuple->length) {
        return NULL;
    }
    uint32_t cell = tuple->first;
    for (size_t i = 0; i < index; i++) {
        cell = cell_at(pickle, cell)->next;
    }
    return node_at(pickle, cell_at(pickle, cell)->node);
}

/* _reconstruct(ndarray, (0,), 'b') gives an empty array, dtype('u1', ...) its element type. */
static LutraStatus reduce(LutraPickle *pickle) {
    uint32_t arguments_index = 0;
    uint32_t name_index = 0;
    LUTRA_TRY(pop(pickle, &arguments_index));
    LUTRA_TRY(pop(pickle, &name_index));
    const Node *const name = node_at(pickle, name_index);
    const Node *const first = tuple_item(pickle, node_at(pickle, arguments_index), 0);
    if (name->kind == NODE_NAME && first != NULL) {
        if (name->number == NAME_RECONSTRUCT && first->kind == NODE_NAME &&
            first->number == NAME_NDARRAY) {
            return push_kind(pickle, NODE_ARRAY_EMPTY);
        }
        if (name->number == NAME_DTYPE && first->kind == NODE_TEXT &&
            same_text(first->bytes, first->length, "u1")) {
            return push_kind(pickle, NODE_TYPE_U8);
        }
    }
    return refuse(pickle, "a call that no array of bytes needs");
}

/* An array's state: (version, (rows, columns), type, is_fortran, elements). */
static LutraStatus build(LutraPickle *pickle) {
    uint32_t state_index = 0;
    uint32_t target_index = 0;
    LUTRA_TRY(pop(pickle, &state_index));
    LUTRA_TRY(top(pickle, &target_index));
    const Node *const state = node_at(pickle, state_index);
    Node *const target = node_at(pickle, target_index);
    if (target->kind == NODE_TYPE_U8) {
        return LUTRA_OK; /* byte order, sub-types: nothing that a byte could have */
    }
    const Node *const shape = tuple_item(pickle, state, 1);
    const Node *const type = tuple_item(pickle, state, 2);
    const Node *const fortran = tuple_item(pickle, state, 3);
    const Node *const elements = tuple_item(pickle, state, 4);
    if (target->kind != NODE_ARRAY_EMPTY || elements == NULL || state->length != 5 ||
        elements->kind != NODE_TEXT || type->kind != NODE_TYPE_U8 ||
        fortran->kind != NODE_INTEGER || fortran->number != 0 || shape->kind != NODE_TUPLE ||
        shape->length != 2) {
        return refuse(pickle, "an array that is not made of rows of bytes");
    }
    const Node *const rows = tuple_item(pickle, shape, 0);
    const Node *const columns = tuple_item(pickle, shape, 1);
    if (rows->kind != NODE_INTEGER || columns->kind != NODE_INTEGER || rows->number < 0 ||
        columns->number <= 0 || elements->length % (uint64_t)columns->number != 0 ||
        elements->length / (uint64_t)columns->number != (uint64_t)rows->number) {
        return refuse(pickle, "an array whose shape and content disagree");
    }
    target->kind = NODE_ARRAY;
    target->number = rows->number;
    target->columns = columns->number;
    target->bytes = elements->bytes;
    target->length = elements->length;
    return LUTRA_OK;
}

/* ---- the machine ---- */

/* Opcodes that push something; *known says whether `opcode` was one. */
static LutraStatus step_push(LutraPickle *pickle, uint8_t opcode, bool *known) {
    uint32_t number = 0;
    *known = true;
    switch (opcode) {
        case '(': return push_kind(pickle, NODE_MARK);
        case ')': return push_kind(pickle, NODE_TUPLE);
        case ']': return push_kind(pickle, NODE_LIST);
        case '}': return push_kind(pickle, NODE_DICT);
        case 'N': return push_kind(pickle, NODE_NONE);
        case 0x88: return push_integer(pickle, 1); /* True */
        case 0x89: return push_integer(pickle, 0); /* False */
        case 'J':
            LUTRA_TRY(take_number(pickle, &number, 4));
            return push_integer(
                pickle, number < 0x80000000u ? (int64_t)number : (int64_t)number - 0x100000000);
        case 'K': LUTRA_TRY(take_number(pickle, &number, 1)); return push_integer(pickle, number);
        case 'M': LUTRA_TRY(take_number(pickle, &number, 2)); return push_integer(pickle, number);
        case 'U': /* SHORT_BINSTRING */
        case 'C': /* SHORT_BINBYTES */ return push_text(pickle, 1);
        case 'T': /* BINSTRING */
        case 'B': /* BINBYTES */
        case 'X': /* BINUNICODE */ return push_text(pickle, 4);
        case 'c': return push_name(pickle);
        default: break;
    }
    *known = false;
    return LUTRA_OK;
}

/* All other opcodes but PROTO and STOP. */
static LutraStatus step(LutraPickle *pickle, uint8_t opcode) {
    uint32_t number = 0;
    size_t mark = 0;
    bool known = false;
    LUTRA_TRY(step_push(pickle, opcode, &known));
    if (known) {
        return LUTRA_OK;
    }
    switch (opcode) {
        case 't': LUTRA_TRY(find_mark(pickle, &mark)); return make_tuple(pickle, mark, mark + 1);
        case 0x85: return make_short_tuple(pickle, 1);
        case 0x86: return make_short_tuple(pickle, 2);
        case 0x87: return make_short_tuple(pickle, 3);
        case 'e': return extend(pickle, NODE_LIST);
        case 'u': return extend(pickle, NODE_DICT);
        case 'a': return extend_one(pickle, NODE_LIST, 1);
        case 's': return extend_one(pickle, NODE_DICT, 2);
        case 'q': LUTRA_TRY(take_number(pickle, &number, 1)); return memo_put(pickle, number);
        case 'r': LUTRA_TRY(take_number(pickle, &number, 4)); return memo_put(pickle, number);
        case 'h': LUTRA_TRY(take_number(pickle, &number, 1)); return memo_get(pickle, number);
        case 'j': LUTRA_TRY(take_number(pickle, &number, 4)); return memo_get(pickle, number);
        case 'R': return reduce(pickle);
        case 'b': return build(pickle);
        default: return refuse(pickle, "an opcode that no CIFAR file has");
    }
}

static LutraStatus run(LutraPickle *pickle) {
    const uint8_t *opcode = NULL;
    uint32_t protocol = 0;
    LUTRA_TRY(take(pickle, &opcode, 1));
    if (*opcode != 0x80) {
        return refuse(pickle, "it does not start as one");
    }
    LUTRA_TRY(take_number(pickle, &protocol, 1));
    if (protocol < 2 || protocol > 3) {
        return refuse(pickle, "its protocol is neither 2 nor 3");
    }
    for (;;) {
        LUTRA_TRY(take(pickle, &opcode, 1));
        if (*opcode == '.') {
            break;
        }
        LUTRA_TRY(step(pickle, *opcode));
    }
    LUTRA_TRY(pop(pickle, &pickle->root));
    if (pickle->stack.count != 0 || node_at(pickle, pickle->root)->kind != NODE_DICT) {
        return refuse(pickle, "it does not hold one dict");
    }
    return LUTRA_OK;
}

LutraStatus lutra_pickle_parse(LutraPickle **pickle, const uint8_t *data, size_t bytes,
                               const char *path, LutraError *error) {
    LutraPickle *made = NULL;
    *pickle = NULL;
    LUTRA_TRY(lutra_alloc(&made, 1, sizeof *made, error));
    made->data = data;
    made->bytes = bytes;
    made->nodes.item_bytes = sizeof(Node);
    made->cells.item_bytes = sizeof(Cell);
    made->stack.item_bytes = sizeof(uint32_t);
    made->memo.item_bytes = sizeof(uint32_t);
    made->error = error;
    LutraStatus status = lutra_string_copy(&made->path, path, error);
    if (status == LUTRA_OK) {
        status = pool_add(&made->nodes, &(Node){.kind = NODE_NONE}, error);
    }
    if (status == LUTRA_OK) {
        status = pool_add(&made->cells, &(Cell){0, 0}, error);
    }
    if (status == LUTRA_OK) {
        status = run(made);
    }
    made->error = NULL;
    if (status != LUTRA_OK) {
        lutra_pickle_destroy(&made);
        return status;
    }
    *pickle = made;
    return LUTRA_OK;
}

void lutra_pickle_destroy(LutraPickle **pickle) {
    if (pickle == NULL || *pickle == NULL) {
        return;
    }
    lutra_free(&(*pickle)->nodes.items);
    lutra_free(&(*pickle)->cells.items);
    lutra_free(&(*pickle)->stack.items);
    lutra_free(&(*pickle)->memo.items);
    lutra_free(&(*pickle)->path);
    lutra_free(pickle);
}

/* ---- looking things up ---- */

/* The value of kind `kind` under `key` (the last one wins, as in Python). */
static LutraStatus find(const Node **value, const LutraPickle *pickle, const char *key,
                        NodeKind kind, LutraError *error) {
    const Node *found = NULL;
    uint32_t cell = node_at(pickle, pickle->root)->first;
    while (cell != NOWHERE) {
        const Cell *const key_cell = cell_at(pickle, cell);
        const Cell *const value_cell = cell_at(pickle, key_cell->next);
        const Node *const name = node_at(pickle, key_cell->node);
        if (name->kind == NODE_TEXT && same_text(name->bytes, name->length, key)) {
            found = node_at(pickle, value_cell->node);
        }
        cell = value_cell->next;
    }
    if (found == NULL || found->kind != kind) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s' has no %s '%s'", pickle->path,
                               kind == NODE_ARRAY ? "array" : "list", key);
    }
    *value = found;
    return LUTRA_OK;
}

LutraStatus lutra_pickle_array(const uint8_t **elements, uint64_t *rows, uint64_t *columns,
                               const LutraPickle *pickle, const char *key, LutraError *error) {
    const Node *array = NULL;
    LUTRA_TRY(find(&array, pickle, key, NODE_ARRAY, error));
    *elements = array->bytes;
    *rows = (uint64_t)array->number;
    *columns = (uint64_t)array->columns;
    return LUTRA_OK;
}

LutraStatus lutra_pickle_list_count(size_t *count, const LutraPickle *pickle, const char *key,
                                    LutraError *error) {
    const Node *list = NULL;
    LUTRA_TRY(find(&list, pickle, key, NODE_LIST, error));
    *count = list->length;
    return LUTRA_OK;
}

/* The list under `key`, which must have `count` items. */
static LutraStatus find_list(const Node **list, const LutraPickle *pickle, const char *key,
                             size_t count, LutraError *error) {
    LUTRA_TRY(find(list, pickle, key, NODE_LIST, error));
    if ((*list)->length != count) {
        return lutra_error_set(error, LUTRA_EDATA, "'%s': list '%s' has %zu items, not %zu",
                               pickle->path, key, (*list)->length, count);
    }
    return LUTRA_OK;
}

static LutraStatus wrong_item(const LutraPickle *pickle, const char *key, size_t index,
                              const char *wanted, LutraError *error) {
    return lutra_error_set(error, LUTRA_EDATA, "'%s': item %zu of list '%s' is no %s", pickle->path,
                           index, key, wanted);
}

LutraStatus lutra_pickle_integers(int64_t *values, size_t count, const LutraPickle *pickle,
                                  const char *key, LutraError *error) {
    const Node *list = NULL;
    LUTRA_TRY(find_list(&list, pickle, key, count, error));
    uint32_t cell = list->first;
    for (size_t i = 0; i < count; i++) {
        const Node *const item = node_at(pickle, cell_at(pickle, cell)->node);
        if (item->kind != NODE_INTEGER) {
            return wrong_item(pickle, key, i, "integer", error);
        }
        values[i] = item->number;
        cell = cell_at(pickle, cell)->next;
    }
    return LUTRA_OK;
}

LutraStatus lutra_pickle_texts(char **texts, size_t count, const LutraPickle *pickle,
                               const char *key, LutraError *error) {
    const Node *list = NULL;
    LUTRA_TRY(find_list(&list, pickle, key, count, error));
    uint32_t cell = list->first;
    LutraStatus status = LUTRA_OK;
    size_t copied = 0;
    for (; copied < count && status == LUTRA_OK; copied++) {
        const Node *const item = node_at(pickle, cell_at(pickle, cell)->node);
        if (item->kind != NODE_TEXT || memchr(item->bytes, 0, item->length) != NULL) {
            status = wrong_item(pickle, key, copied, "text", error);
            break;
        }
        status = lutra_alloc(&texts[copied], item->length + 1, 1, error);
        if (status != LUTRA_OK) {
            break;
        }
        memcpy(texts[copied], item->bytes, item->length);
        cell = cell_at(pickle, cell)->next;
    }
    if (status != LUTRA_OK) {
        while (copied > 0) {
            lutra_free(&texts[--copied]);
        }
    }
    return status;
}
