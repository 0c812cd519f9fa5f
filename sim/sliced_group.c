/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several bit-sliced programs over the same batch, as a list of steps that is made once. Circuits
 * that begin alike form a tree: a branch runs in the scratch of its first program as long as all of
 * its programs agree; where they part, the values that are still needed are copied to the first
 * program of every smaller branch.
 */
#include <string.h>

#include "base/memory.h"
#include "sim/circuit_copy.h"
#include "sim/sliced_run_priv.h"

typedef enum {
    STEP_STAGE,  /* run `stage` of `count` programs from `first` of the group's lists on */
    STEP_COPY,   /* copy from `program` to `other` what stages from `stage` on read */
    STEP_OUTPUT, /* of `program` */
} StepKind;

typedef struct {
    StepKind kind;
    uint32_t stage;
    uint32_t program;
    uint32_t other;
    uint32_t first; /* STEP_STAGE: place in `lists` */
    uint32_t count;
} Step;

struct LutraSlicedGroup {
    uint32_t count;
    const LutraSlicedProgram *programs[LUTRA_SLICED_MOST_TOGETHER];
    uint32_t common[LUTRA_SLICED_MOST_TOGETHER][LUTRA_SLICED_MOST_TOGETHER]; /* operations */
    size_t scratch[LUTRA_SLICED_MOST_TOGETHER];                              /* offsets */
    size_t scratch_bytes;
    Step *steps;
    uint32_t step_count;
    uint32_t *lists; /* programs of the stages that run together */
    uint32_t list_count;
};

/** Programs that have agreed in all stages so far. */
typedef struct {
    uint32_t members[LUTRA_SLICED_MOST_TOGETHER];
    uint32_t count;
} Branch;

/* ---- the plan ---- */

static bool computes_input(const LutraSlicedProgram *program, const SlicedStage *stage) {
    return stage->computes_x &&
           program->circuit->operations[stage->x].kind == LUTRA_OPERATION_INPUT;
}

/** Whether stage s has the same x in two programs that agree in all stages before. */
static bool same_x(const LutraSlicedGroup *group, uint32_t a, uint32_t b, uint32_t s) {
    if (s >= group->programs[a]->stage_count || s >= group->programs[b]->stage_count) {
        return false;
    }
    const SlicedStage *const x = &group->programs[a]->stages[s];
    const SlicedStage *const y = &group->programs[b]->stages[s];
    return x->x == y->x && x->computes_x == y->computes_x && x->x < group->common[a][b];
}

/** Whether stage s is wholly the same, also the border of what it stores and how long that is kept:
 * one scratch then serves both. */
static bool same_stage(const LutraSlicedGroup *group, uint32_t a, uint32_t b, uint32_t s) {
    if (!same_x(group, a, b, s)) {
        return false;
    }
    const SlicedStage *const x = &group->programs[a]->stages[s];
    const SlicedStage *const y = &group->programs[b]->stages[s];
    const uint32_t result = lutra_sliced_result(x);
    return result == lutra_sliced_result(y) && result < group->common[a][b] &&
           x->last_reader == y->last_reader &&
           group->programs[a]->values[result].border == group->programs[b]->values[result].border;
}

static bool all_same(const LutraSlicedGroup *group, const Branch *branch, uint32_t s,
                     bool (*same)(const LutraSlicedGroup *, uint32_t, uint32_t, uint32_t)) {
    for (uint32_t i = 1; i < branch->count; i++) {
        if (!same(group, branch->members[0], branch->members[i], s)) {
            return false;
        }
    }
    return true;
}

static void add_step(LutraSlicedGroup *group, Step step) {
    group->steps[group->step_count++] = step;
}

static void add_stage(LutraSlicedGroup *group, uint32_t s, const uint32_t *members,
                      uint32_t count) {
    add_step(group, (Step){.kind = STEP_STAGE,
                           .stage = s,
                           .program = members[0],
                           .first = group->list_count,
                           .count = count});
    memcpy(group->lists + group->list_count, members, count * sizeof *members);
    group->list_count += count;
}

/** Smaller branches, of members that agree in stage s too; in the order of their first members. */
static uint32_t part(Branch *parts, const LutraSlicedGroup *group, const Branch *branch,
                     uint32_t s) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < branch->count; i++) {
        uint32_t p = 0;
        while (p < count && !same_stage(group, parts[p].members[0], branch->members[i], s)) {
            p++;
        }
        if (p == count) {
            parts[count++].count = 0;
        }
        parts[p].members[parts[p].count++] = branch->members[i];
    }
    return count;
}

/** Plans a branch from stage s on. Depth: the programs get fewer with every call. */
static void plan(LutraSlicedGroup *group, const Branch *branch, uint32_t s) {
    const uint32_t lead = branch->members[0];
    const LutraSlicedProgram *const program = group->programs[lead];
    while (s < program->stage_count && all_same(group, branch, s, same_stage)) {
        add_stage(group, s++, branch->members, 1);
    }
    if (branch->count == 1) {
        add_step(group, (Step){.kind = STEP_OUTPUT, .program = lead});
        return;
    }
    Branch parts[LUTRA_SLICED_MOST_TOGETHER];
    uint32_t leads[LUTRA_SLICED_MOST_TOGETHER];
    const uint32_t count = part(parts, group, branch, s);
    /* the first of `branch` computes x for all, so the others need not have what it reads */
    const bool together = all_same(group, branch, s, same_x) &&
                          !computes_input(program, &program->stages[s]);
    const uint32_t next = s + together;
    for (uint32_t p = 0; p < count; p++) {
        leads[p] = parts[p].members[0];
        if (p > 0) {
            add_step(group, (Step){.kind = STEP_COPY,
                                   .stage = s,
                                   .program = lead,
                                   .other = leads[p],
                                   .first = next});
        }
    }
    if (together) {
        add_stage(group, s, leads, count);
    }
    for (uint32_t p = 0; p < count; p++) {
        plan(group, &parts[p], next);
    }
}

static LutraStatus make_plan(LutraSlicedGroup *group, LutraError *error) {
    size_t stages = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        stages += group->programs[i]->stage_count;
    }
    /* every stage of every program, a copy and an output of each at most */
    LUTRA_TRY(lutra_alloc(&group->steps, stages + 2 * (size_t)group->count, sizeof(Step), error));
    LUTRA_TRY(lutra_alloc(&group->lists, stages, sizeof(uint32_t), error));
    Branch all = {.count = group->count};
    for (uint32_t i = 0; i < group->count; i++) {
        all.members[i] = i;
    }
    plan(group, &all, 0);
    return LUTRA_OK;
}

LutraStatus lutra_sliced_group_create(LutraSlicedGroup **group,
                                      const LutraSlicedProgram *const *programs, uint32_t count,
                                      LutraError *error) {
    LutraSlicedGroup *made = NULL;
    LUTRA_ASSERT(count >= 1 && count <= LUTRA_SLICED_MOST_TOGETHER);
    LUTRA_TRY(lutra_alloc(&made, 1, sizeof *made, error));
    made->count = count;
    for (uint32_t i = 0; i < count; i++) {
        made->programs[i] = programs[i];
        made->scratch[i] = made->scratch_bytes;
        made->scratch_bytes += programs[i]->scratch_bytes;
        for (uint32_t j = 0; j < i; j++) {
            const LutraCircuit *const both[] = {programs[i]->circuit, programs[j]->circuit};
            made->common[i][j] = lutra_circuit_common_prefix(both, 2);
            made->common[j][i] = made->common[i][j];
        }
    }
    const LutraStatus status = make_plan(made, error);
    if (status != LUTRA_OK) {
        lutra_sliced_group_destroy(&made);
        return status;
    }
    *group = made;
    return LUTRA_OK;
}

void lutra_sliced_group_destroy(LutraSlicedGroup **group) {
    if (group == NULL || *group == NULL) {
        return;
    }
    lutra_free(&(*group)->steps);
    lutra_free(&(*group)->lists);
    lutra_free(group);
}

size_t lutra_sliced_group_scratch_bytes(const LutraSlicedGroup *group) {
    return group->scratch_bytes;
}

/* ---- a run ---- */

/** Values of stages before `stage` that stages from `next` on or the output read, and what all
 * operations up to them have counted. */
static void copy_branch(const SlicedBatch *to, const SlicedBatch *from, uint32_t stage,
                        uint32_t next) {
    for (uint32_t s = 0; s < stage; s++) {
        const SlicedStage *const done = &to->program->stages[s];
        const uint32_t result = lutra_sliced_result(done);
        if (done->last_reader >= next) {
            memcpy(to->scratch + to->program->values[result].offset,
                   from->scratch + from->program->values[result].offset,
                   to->program->values[result].bytes);
        }
        to->statistics[result] = from->statistics[result];
        if (done->round != SLICED_NONE) {
            to->statistics[done->round] = from->statistics[done->round];
        }
        if (done->computes_x) {
            to->statistics[done->x] = from->statistics[done->x];
        }
    }
}

void lutra_sliced_group_run(const LutraSlicedGroup *group, float *const *logits,
                            LutraOperationStatistics *const *statistics, const uint8_t *pixels,
                            uint32_t count, void *scratch) {
    SlicedBatch batches[LUTRA_SLICED_MOST_TOGETHER];
    for (uint32_t i = 0; i < group->count; i++) {
        lutra_sliced_batch_init(&batches[i], group->programs[i], statistics[i], pixels, count,
                                (uint8_t *)scratch + group->scratch[i]);
    }
    for (uint32_t i = 0; i < group->step_count; i++) {
        const Step *const step = &group->steps[i];
        if (step->kind == STEP_COPY) {
            copy_branch(&batches[step->other], &batches[step->program], step->stage, step->first);
        } else if (step->kind == STEP_OUTPUT) {
            lutra_sliced_run_output(&batches[step->program], logits[step->program]);
        } else {
            SlicedBatch *together[LUTRA_SLICED_MOST_TOGETHER];
            for (uint32_t j = 0; j < step->count; j++) {
                together[j] = &batches[group->lists[step->first + j]];
            }
            lutra_sliced_run_stage(together, step->count, step->stage);
        }
    }
}
