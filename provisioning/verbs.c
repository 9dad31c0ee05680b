#include "provisioning/verbs.h"

#include <stddef.h>

const struct verb *const verbs[] = {
	&verb_fleet_init,
	&verb_operator_add,
	&verb_gateway_add,
	&verb_gateway_list,
	&verb_gateway_address,
	NULL,
};
