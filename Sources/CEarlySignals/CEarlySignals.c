// A service manager may ask a process to stop that it has only just started. Before `main` libraries are initialised,
// OpenSSL and Swift's own among them, which takes some milliseconds: a signal that comes meanwhile would end the
// process by its default action. What stands in .preinit_array runs before all of them. `sluice run` takes the signals
// up as soon as it has its handlers; no other command holds them back.

#include "CEarlySignals.h"

#include <signal.h>
#include <string.h>

void sluice_hold_early_signals(void) {}

static void hold(int argc, char **argv, char **environment) {
        (void)environment;
        if (argc < 2 || strcmp(argv[1], "run") != 0) return;
        sigset_t held;
        sigemptyset(&held);
        sigaddset(&held, SIGTERM);
        sigaddset(&held, SIGINT);
        sigprocmask(SIG_BLOCK, &held, NULL);
}

__attribute__((section(".preinit_array"), used)) static void (*const early)(int, char **, char **) = hold;
