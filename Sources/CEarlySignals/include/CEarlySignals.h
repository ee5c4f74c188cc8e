// Holds the signals that stop a run back from the first moment of the process on: see CEarlySignals.c.
#ifndef SLUICE_CEARLYSIGNALS_H
#define SLUICE_CEARLYSIGNALS_H

/// Does nothing; a call of it says that a program wants its signals held back.
void sluice_hold_early_signals(void);

#endif
