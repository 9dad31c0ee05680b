/*
 * The head of a request as CivetWeb hands it on: lines "name: value" of the input become headers,
 * the first line method and target. Whatever front_head_check takes keeps the limits.
 */
#include <stdlib.h>
#include <string.h>

#include <civetweb.h>

#include "gateway/front_request.h"
#include "protocol/limits.h"

#define LINES_MAX 48

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *next_line(char **at)
{
	char *line = *at;
	char *end = line == NULL ? NULL : strchr(line, '\n');

	if (end != NULL)
		*end++ = 0;
	*at = end;
	return line;
}

static void headers_fill(struct mg_request_info *info, char *text)
{
	char *line;

	while ((line = next_line(&text)) != NULL && info->num_headers < LINES_MAX) {
		char *colon = strchr(line, ':');

		if (colon == NULL)
			continue;
		*colon++ = 0;
		info->http_headers[info->num_headers].name = line;
		info->http_headers[info->num_headers++].value = colon + strspn(colon, " ");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum front_listener listeners[] = {FRONT_DEVICES, FRONT_OPERATORS};
	struct mg_request_info info = {.http_version = "1.1"};
	struct front_head *head = calloc(1, sizeof(*head));
	char *copy = malloc(size + 1);
	char *text = copy, *target;

	if (copy == NULL || head == NULL)
		abort();
	memcpy(copy, data, size);
	copy[size] = 0;
	info.request_method = next_line(&text);
	target = strchr(copy, ' ');
	if (target != NULL)
		*target++ = 0;
	info.request_uri = info.local_uri = target != NULL ? target : copy;
	headers_fill(&info, text);
	for (size_t i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++) {
		size_t max = listeners[i] == FRONT_DEVICES ? CV_BODY_MAX : CV_OP_BODY_MAX;

		memset(head, 0, sizeof(*head));
		if (front_head_check(head, listeners[i], &info, "city") == 0 && head->body_len > max)
			abort();
	}
	free(copy);
	free(head);
	return 0;
}
