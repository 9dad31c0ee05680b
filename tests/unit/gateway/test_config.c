#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/config.h"
#include "gateway/keeper.h"
#include "host/secret.h"

struct said {
	int count;
	char first[512];
};

static void note(void *context, const char *line)
{
	struct said *said = context;

	if (said->count++ == 0)
		snprintf(said->first, sizeof(said->first), "%s", line);
}

static struct gateway_config *parse(const char *text, bool check_files, struct said *said)
{
	struct gateway_config *cfg = malloc(sizeof(*cfg));
	enum cv_err err;

	assert_non_null(cfg);
	memset(said, 0, sizeof(*said));
	err = config_parse(cfg, "g.ini", text, strlen(text), check_files, note, said);
	assert_int_equal(err == CV_OK, said->count == 0);
	if (err != CV_OK)
		assert_int_equal(err, CV_ERR_CONFIG);
	return cfg;
}

static void expect_mistake(const char *text, const char *line)
{
	struct said said;

	free(parse(text, false, &said));
	assert_string_equal(said.first, line);
	assert_int_equal(said.count, 1);
}

static void needs_nothing_but_an_id(void **state)
{
	struct said said;
	struct gateway_config *cfg = parse("[gateway]\nid = g1\n", true, &said);

	(void)state;
	assert_int_equal(said.count, 0);
	assert_string_equal(cfg->id, "g1");
	assert_string_equal(cfg->fleet, "");
	assert_string_equal(cfg->state, "/var/lib/conclave-gateway");
	assert_string_equal(cfg->devices.text, "0.0.0.0:7443");
	assert_string_equal(cfg->operators.text, "0.0.0.0:7444");
	assert_string_equal(cfg->metrics.text, "127.0.0.1:7445");
	assert_int_equal(cfg->keeper.device_burst, KEEPER_DEVICE_BURST);
	assert_int_equal(cfg->keeper.batch_max, KEEPER_BATCH_MAX);
	assert_int_equal(cfg->reserve_records, KEEPER_RESERVE_RECORDS);
	assert_int_equal(cfg->sandbox, SANDBOX_REQUIRE);
	assert_int_equal(cfg->sender.count, 0);
	/* some threads are left to say that the queue is full */
	assert_true(cfg->front.queue < cfg->front.threads);
	free(cfg);
}

/* Commented-out keys of the example show the defaults: with them in force nothing changes. */
static void the_example_shows_the_defaults(void **state)
{
	struct gateway_config *bare, *shown;
	struct said said;
	char *text = NULL, *in, *out;
	size_t len = 0;
	bool destinations = false;

	(void)state;
	assert_int_equal(config_read_text(&text, &len, "deploy/gateway.ini.example"), CV_OK);
	bare = parse(text, false, &said);
	assert_string_equal(said.first, "");
	for (in = out = text; *in != '\0';) {
		char *end = strchr(in, '\n');

		if (strncmp(in, "#fleet", 6) == 0 || strncmp(in, "#ca_file", 8) == 0)
			in = end; /* have no default */
		if (strncmp(in, "#[webhook", 9) == 0)
			destinations = true;
		if (in[0] == '#' && in[1] != ' ' && !destinations)
			in++;
		while (in < end + 1)
			*out++ = *in++;
	}
	*out = '\0';
	shown = parse(text, false, &said);
	assert_string_equal(said.first, "");
	assert_memory_equal(bare, shown, sizeof(*bare));
	free(bare);
	free(shown);
	free(text);
}

static void tells_each_mistake_by_line(void **state)
{
	(void)state;
	expect_mistake("[gateway]\nstate = /x\n", "g.ini:1: [gateway] id: missing");
	expect_mistake("[gateway]\nid = g1\nstate = x\n",
		"g.ini:3: [gateway] state: not an absolute path: x");
	expect_mistake("[gateway]\nid = g1\ncolour = red\n",
		"g.ini:3: [gateway] colour: unknown key");
	expect_mistake("[gateway]\nid = g1\n[listen]\nmetrics = 0.0.0.0:7445\n",
		"g.ini:4: [listen] metrics: must be a loopback address (the listener has no TLS): "
		"0.0.0.0:7445");
	expect_mistake("[gateway]\nid = g1\n[listen]\ndevices = localhost:7443\n",
		"g.ini:4: [listen] devices: not ADDRESS:PORT (such as 0.0.0.0:7443 or "
		"[::]:7443): localhost:7443");
	expect_mistake("[gateway]\nid = g1\n[listen]\noperators = 0.0.0.0:7443\n",
		"g.ini:4: [listen] operators: the same as devices: 0.0.0.0:7443");
	expect_mistake("[gateway]\nid = g1\n[webhook.ops]\nseverity = info\n",
		"g.ini:3: [webhook.ops] file: missing");
	expect_mistake("[gateway]\nid = g1\n[webhook.ops]\nfile = /a\n[telegram.ops]\nfile = /b\n",
		"g.ini:5: [telegram.ops]: the name is taken: ops");
}

static void tells_all_mistakes_at_once(void **state)
{
	struct said said;

	(void)state;
	free(parse("[gateway]\nid = G1\n[limits]\nthreads = 0\nqueue = many\nkeep_alive = 2\n"
		   "[log]\nlevel = loud\n[sandbox]\nmode = perhaps\n",
		false, &said));
	assert_int_equal(said.count, 6);
}

static void refuses_a_nul_byte(void **state)
{
	static const char text[] = "[gateway]\nid = g1\n\0[limits]\nthreads = 0\n";
	struct gateway_config *cfg = malloc(sizeof(*cfg));
	struct said said = { 0 };

	(void)state;
	assert_int_equal(
		config_parse(cfg, "g.ini", text, sizeof(text) - 1, false, note, &said),
		CV_ERR_CONFIG);
	assert_string_equal(said.first, "g.ini: has a NUL byte");
	free(cfg);
}

static void looks_at_files_only_when_asked(void **state)
{
	static const char text[] = "[gateway]\nid = g1\n[webhook.ops]\nfile = /no/such/file\n";
	struct said said;

	(void)state;
	free(parse(text, false, &said));
	assert_int_equal(said.count, 0);
	free(parse(text, true, &said));
	assert_int_equal(said.count, 1);
	assert_non_null(strstr(said.first, "g.ini:4: [webhook.ops] file: "));
}

static void keeps_destinations_in_order(void **state)
{
	struct said said;
	struct gateway_config *cfg = parse(
		"[gateway]\nid = g1\n[webhook.ops]\nfile = /a\nseverity = warning\n"
		"[telegram.oncall]\nfile = /b\nseverity = critical\n",
		false, &said);

	(void)state;
	assert_int_equal(said.count, 0);
	assert_int_equal(cfg->sender.count, 2);
	assert_string_equal(cfg->sender.destinations[0].name, "ops");
	assert_int_equal(cfg->sender.destinations[0].kind, DESTINATION_WEBHOOK);
	assert_int_equal(cfg->sender.destinations[0].least, EVENT_WARNING);
	assert_string_equal(cfg->sender.destinations[1].file, "/b");
	assert_int_equal(cfg->sender.destinations[1].least, EVENT_CRITICAL);
	free(cfg);
}

static void takes_numeric_addresses_only(void **state)
{
	static const char *const good[] = { "0.0.0.0:0", "127.0.0.1:65535", "[::]:7443",
		"[fe80::1]:1" };
	static const char *const bad[] = { "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
		"127.0.0.1:-1", "127.0.0.1: 1", "::1:7443", "[::1]", "[::1]7443", "[127.0.0.1]:1",
		"a:1", "127.1:80", "127.0.0.1:1x", "[]:1", "127.0.0.1:000000001" };
	struct config_address a;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(config_address_parse(&a, good[i]), CV_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(config_address_parse(&a, bad[i]), CV_ERR_FORMAT);
	assert_int_equal(config_address_parse(&a, "[::1]:9"), CV_OK);
	assert_true(a.ipv6 && a.port == 9);
	assert_string_equal(a.host, "::1");
}

static void knows_loopback(void **state)
{
	static const char *const loopback[] = { "127.0.0.1:1", "127.9.9.9:1", "[::1]:1" };
	static const char *const other[] = { "0.0.0.0:1", "128.0.0.1:1", "[::]:1",
		"[::ffff:127.0.0.1]:1" };
	struct config_address a;

	(void)state;
	for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++) {
		assert_int_equal(config_address_parse(&a, loopback[i]), CV_OK);
		assert_true(config_address_is_loopback(&a));
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		assert_int_equal(config_address_parse(&a, other[i]), CV_OK);
		assert_false(config_address_is_loopback(&a));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needs_nothing_but_an_id),
		cmocka_unit_test(the_example_shows_the_defaults),
		cmocka_unit_test(tells_each_mistake_by_line),
		cmocka_unit_test(tells_all_mistakes_at_once),
		cmocka_unit_test(refuses_a_nul_byte),
		cmocka_unit_test(looks_at_files_only_when_asked),
		cmocka_unit_test(keeps_destinations_in_order),
		cmocka_unit_test(takes_numeric_addresses_only),
		cmocka_unit_test(knows_loopback),
	};

	if (secret_process_init() != CV_OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
