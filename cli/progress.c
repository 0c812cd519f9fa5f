/* SPDX-License-Identifier: Apache-2.0 */
/* Progress on stderr and Ctrl-C as a request to stop. */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"

enum { BAR_CELLS = 24 };
static const double first_after_seconds = 1.0; /* short work shows no bar */
static const double between_seconds = 0.2;
static const double line_between_seconds = 20.0; /* plain lines, when there is no terminal */

/* The one place where the program keeps state outside a function: a signal handler can reach
 * nothing else. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
    if (interrupted) { /* a second Ctrl-C means now */
        _exit(CLI_EXIT_INTERRUPTED);
    }
    interrupted = signal_number;
}

bool cli_interrupted(void) {
    return interrupted != 0;
}

static void format_duration(char text[16], double seconds) {
    if (!(seconds < 359999.0)) {
        (void)snprintf(text, 16, "--:--");
        return;
    }
    const unsigned whole = (unsigned)seconds;
    if (whole >= 3600) {
        (void)snprintf(text, 16, "%u:%02u:%02u", whole / 3600, whole / 60 % 60, whole % 60);
    } else {
        (void)snprintf(text, 16, "%u:%02u", whole / 60, whole % 60);
    }
}

static void show(CliProgress *p, uint64_t done, uint64_t total, double figure, double now) {
    const double fraction = total == 0 ? 1.0 : (double)done / (double)total;
    const double elapsed = now - p->stage_started;
    const double rate = elapsed > 0.0 ? (double)(done - p->first_done) / elapsed : 0.0;
    char eta[16];
    format_duration(eta, rate > 0.0 ? (double)(total - done) / rate : (double)INFINITY);
    char text[64] = "";
    if (!isnan(figure)) {
        (void)snprintf(text, sizeof text, "  %.4g", figure);
    }
    if (p->bar) {
        char cells[BAR_CELLS + 1];
        const int filled = (int)(fraction * BAR_CELLS);
        for (int i = 0; i < BAR_CELLS; i++) {
            cells[i] = i < filled ? '#' : '.';
        }
        cells[BAR_CELLS] = '\0';
        fprintf(stderr, "\r\033[K%s [%s] %3.0f %%  %.4g/s  ETA %s%s", p->stage, cells,
                100.0 * fraction, rate, eta, text);
        p->line_open = true;
    } else {
        fprintf(stderr, "%s: %" PRIu64 " of %" PRIu64 " (%.0f %%), %.4g/s, ETA %s%s\n", p->stage,
                done, total, 100.0 * fraction, rate, eta, text);
    }
    fflush(stderr);
    p->last_shown = now;
}

static int on_tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    CliProgress *const p = user;
    const double now = lutra_seconds();
    if (strncmp(stage, p->stage, sizeof p->stage - 1) != 0 || done < p->last_done) {
        (void)snprintf(p->stage, sizeof p->stage, "%s", stage);
        p->stage_started = now;
        p->first_done = done;
        p->last_shown = now - between_seconds + first_after_seconds;
        if (!p->bar) {
            p->last_shown = now;
        }
    }
    p->last_done = done;
    if (!p->quiet) {
        const double wait = p->bar ? between_seconds : line_between_seconds;
        if (now - p->last_shown >= wait) {
            show(p, done, total, figure, now);
        }
    }
    return interrupted ? 1 : 0;
}

static void on_note(void *user, const char *line) {
    CliProgress *const p = user;
    if (p->quiet) {
        return;
    }
    cli_progress_stop(p);
    fprintf(stderr, "%s\n", line);
}

void cli_progress_start(CliProgress *progress, const CliCommon *common) {
    const char *const terminal = getenv("TERM");
    const bool dumb = terminal != NULL && strcmp(terminal, "dumb") == 0;
    const bool foreground = isatty(STDERR_FILENO) && tcgetpgrp(STDERR_FILENO) == getpgrp();
    *progress = (CliProgress){.quiet = common->quiet || common->progress == 0,
                              .bar = common->progress == 1 || (foreground && !dumb)};
    progress->progress = (LutraProgress){.tick = on_tick, .note = on_note, .user = progress};
    interrupted = 0;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

void cli_progress_stop(CliProgress *progress) {
    if (progress->line_open) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        progress->line_open = false;
    }
}
