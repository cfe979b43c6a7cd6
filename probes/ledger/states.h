/* SPDX-License-Identifier: BSD-2-Clause */
/* The ledger's states by name: the words of the screen, the JSON and the docs. */
#ifndef DWELL_LEDGER_STATES_H
#define DWELL_LEDGER_STATES_H

#include "ledger.h"

extern const char *const ledger_state_names[LEDGER_STATES]; /* "on_cpu" */
extern const char *const ledger_state_help[LEDGER_STATES];  /* one line, lower case, no full stop */

#endif
