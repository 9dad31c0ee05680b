#include "gateway/config.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static enum cv_err parse_port(uint16_t *out, const char *text)
{
	unsigned long value;

	if (text[0] == '\0' || strlen(text) > 5 || text[strspn(text, "0123456789")] != '\0')
		return CV_ERR_FORMAT;
	value = strtoul(text, NULL, 10);
	if (value > 65535)
		return CV_ERR_FORMAT;
	*out = (uint16_t)value;
	return CV_OK;
}

enum cv_err config_address_parse(struct config_address *out, const char *text)
{
	struct config_address a = { .ipv6 = text[0] == '[' };
	unsigned char raw[16];
	const char *end = a.ipv6 ? strstr(text, "]:") : strrchr(text, ':');
	const char *host = a.ipv6 ? text + 1 : text;
	enum cv_err err = CV_ERR_INTERNAL;

	if (end == NULL || strlen(text) >= sizeof(a.text) || end < host)
		return CV_ERR_FORMAT;
	memcpy(a.text, text, strlen(text) + 1);
	memcpy(a.host, host, (size_t)(end - host));
	a.host[end - host] = '\0';
	if (inet_pton(a.ipv6 ? AF_INET6 : AF_INET, a.host, raw) != 1)
		return CV_ERR_FORMAT;
	err = parse_port(&a.port, end + (a.ipv6 ? 2 : 1));
	if (err == CV_OK)
		*out = a;
	return err;
}

bool config_address_is_loopback(const struct config_address *address)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (address->ipv6)
		return inet_pton(AF_INET6, address->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
	return inet_pton(AF_INET, address->host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}
