/* For tests that drive the handshake by hand: a request becomes a message, a message an answer. */
#ifndef CONCLAVE_TESTS_SIM_STEP_H
#define CONCLAVE_TESTS_SIM_STEP_H

#include "tests/unit/protocol/sim_world.h"

/* The next SEND, or fails the test. */
struct sim_message sim_step_send(struct sim_world *w);
/* The next action is WAIT; returns when it ends. */
uint64_t sim_step_wait(struct sim_world *w);
/* The member's gateway answers; silence fails the test. */
struct sim_message sim_step_answer(struct sim_world *w, const struct sim_message *request);
void sim_step_hear(struct sim_world *w, size_t member, const struct sim_message *answer);
/* Send, answer and hear at once; returns the member. */
size_t sim_step_exchange(struct sim_world *w);
/* As exchange, for n requests in a row. */
void sim_step_exchange_all(struct sim_world *w, size_t n);
/* The next n requests get no answer. */
void sim_step_lose(struct sim_world *w, size_t n, enum handshake_fault fault);
enum handshake_action sim_step_next(struct sim_world *w);

#endif
