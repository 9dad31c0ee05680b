/* The head of an answer as the microcontroller client reads it. */
#include <stdlib.h>
#include <string.h>

#include "http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_answer answer;
	char *copy = malloc(size + 1);

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	copy[size] = 0;
	memset(&answer, 0, sizeof(answer));
	if (http_head_parse(copy, &answer) == CV_OK) {
		if (answer.body_len > HTTP_ANSWER_MAX || answer.status > 999)
			abort();
		if (memchr(answer.mac_header, 0, sizeof(answer.mac_header)) == NULL)
			abort();
	}
	free(copy);
	return 0;
}
