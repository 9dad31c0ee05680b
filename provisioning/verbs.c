#include "provisioning/verbs.h"

#include <stddef.h>

const struct verb *const verbs[] = {
	&verb_fleet_init,
	&verb_operator_add,
	&verb_gateway_add,
	&verb_gateway_list,
	&verb_gateway_address,
	&verb_device_add,
	&verb_device_push,
	&verb_volume_create,
	&verb_volume_info,
	&verb_volume_check,
	&verb_volume_import,
	&verb_volume_header_backup,
	NULL,
};
