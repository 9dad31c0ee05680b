#include "device/inventory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/file.h"
#include "host/log.h"
#include "protocol/inventory.h"

#define TEXT_MAX 65536

struct collection {
	struct inventory_item *items;
	size_t count;
	size_t left_out;
	const char *root;
};

/* The first line of a file, without blanks at its ends, printable; false if there is nothing. */
static bool read_line_of(char *out, size_t cap, const char *path)
{
	char buf[1024];
	size_t n = 0, start = 0;
	ssize_t len;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return false;
	len = read(fd, buf, sizeof(buf));
	close(fd);
	while (len > 0 && start < (size_t)len && (buf[start] == ' ' || buf[start] == '\t'))
		start++;
	for (size_t i = start; len > 0 && i < (size_t)len && n + 1 < cap; i++) {
		if (buf[i] == '\n' || buf[i] == '\0')
			break;
		out[n++] = buf[i] >= 0x20 && buf[i] <= 0x7e ? buf[i] : '?';
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	return n > 0;
}

static bool read_value(
	char *out, size_t cap, const char *root, const char *dir, const char *name)
{
	char path[FILE_PATH_BUF];
	const int n = snprintf(path, sizeof(path), "%s%s/%s", root, dir, name);

	return n > 0 && (size_t)n < sizeof(path) && read_line_of(out, cap, path);
}

static void add(struct collection *c, const char *kind, const char *name, const char *value)
{
	struct inventory_item *item = &c->items[c->count];
	char full[EVIDENCE_TEXT_BUF];
	const int n = snprintf(full, sizeof(full), "%s.%s", kind, name);

	if (n < 0 || (size_t)n >= sizeof(full) || !evidence_name_valid(full)) {
		log_debug("inventory: %s.%s: not a name for a claim: left out", kind, name);
		return;
	}
	if (c->count == CV_INVENTORY_MAX) {
		c->left_out++;
		return;
	}
	strcpy(item->name, full);
	snprintf(item->value, sizeof(item->value), "%s", value);
	c->count++;
}

static void add_dmi(struct collection *c)
{
	static const char *const files[] = { "sys_vendor", "product_name", "product_serial",
		"product_uuid", "board_vendor", "board_name", "board_serial", "chassis_serial",
		"bios_version" };
	char value[INVENTORY_VALUE_MAX + 1];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (read_value(value, sizeof(value), c->root, "/sys/class/dmi/id", files[i]))
			add(c, "dmi", files[i], value);
}

/* Lines that say which processor it is, and not how fast it runs just now. */
static bool tells_model(const char *line)
{
	static const char *const keys[] = { "vendor_id", "cpu family", "model", "model name",
		"stepping", "CPU implementer", "CPU architecture", "CPU variant", "CPU part",
		"CPU revision", "uarch", "isa", "Hardware", "Revision" };
	const size_t len = strcspn(line, "\t:\n");

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i]) == len && strncmp(line, keys[i], len) == 0)
			return true;
	return false;
}

static void append(char *out, size_t cap, const char *text, size_t len)
{
	size_t n = strlen(out);

	for (size_t i = 0; i < len && n + 1 < cap; i++)
		out[n++] = text[i] >= 0x20 && text[i] <= 0x7e ? text[i] : ' ';
	out[n] = '\0';
}

/* The first processor's model and how many there are. */
static void add_cpu(struct collection *c)
{
	char path[FILE_PATH_BUF], model[INVENTORY_VALUE_MAX + 1] = "", serial[64] = "";
	char count[32];
	uint8_t *text = NULL;
	size_t len = 0, processors = 0;

	snprintf(path, sizeof(path), "%s/proc/cpuinfo", c->root);
	if (file_read(&text, &len, path, 16 * TEXT_MAX) != CV_OK)
		return;
	for (const char *line = (const char *)text; *line != '\0';) {
		const size_t n = strcspn(line, "\n");
		const char *value = memchr(line, ':', n);
		const size_t skip = value != NULL ? (size_t)(value - line) + 1 : n;

		processors += strncmp(line, "processor", 9) == 0;
		if (processors <= 1 && value != NULL && tells_model(line))
			append(model, sizeof(model), line + skip, n - skip);
		if (strncmp(line, "Serial", 6) == 0)
			append(serial, sizeof(serial), line + skip, n - skip);
		line += n + (line[n] == '\n');
	}
	free(text);
	snprintf(count, sizeof(count), " x%zu", processors);
	append(model, sizeof(model), count, strlen(count));
	add(c, "cpu", "model", model);
	if (serial[0] != '\0' ||
		read_value(serial, sizeof(serial), c->root, "/proc/device-tree", "serial-number"))
		add(c, "cpu", "serial", serial);
}

static int no_dots(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Each entry of a directory, by name. */
static void for_each(struct collection *c, const char *dir,
	void (*take)(struct collection *c, const char *dir, const char *name))
{
	char path[FILE_PATH_BUF], entry[FILE_PATH_BUF];
	struct dirent **list = NULL;
	int n;

	snprintf(path, sizeof(path), "%s%s", c->root, dir);
	n = scandir(path, &list, no_dots, alphasort);
	for (int i = 0; i < n; i++) {
		if (snprintf(entry, sizeof(entry), "%s/%s", dir, list[i]->d_name) <
			(int)sizeof(entry))
			take(c, entry, list[i]->d_name);
		free(list[i]);
	}
	free(list);
}

static bool has_hardware(const struct collection *c, const char *dir)
{
	char path[FILE_PATH_BUF];
	const int n = snprintf(path, sizeof(path), "%s%s/device", c->root, dir);

	return n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0;
}

static void take_disk(struct collection *c, const char *dir, const char *name)
{
	static const char *const files[] = { "serial", "device/serial", "device/cid", "wwid",
		"device/wwid" };
	char value[INVENTORY_VALUE_MAX + 1];

	if (!has_hardware(c, dir) ||
		(read_value(value, sizeof(value), c->root, dir, "removable") &&
			strcmp(value, "0") != 0))
		return;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (read_value(value, sizeof(value), c->root, dir, files[i])) {
			add(c, "disk", name, value);
			return;
		}
	}
}

static void take_net(struct collection *c, const char *dir, const char *name)
{
	char value[INVENTORY_VALUE_MAX + 1];

	/* an address that software chose says nothing about the card */
	if (!has_hardware(c, dir) ||
		(read_value(value, sizeof(value), c->root, dir, "addr_assign_type") &&
			strcmp(value, "0") != 0))
		return;
	if (read_value(value, sizeof(value), c->root, dir, "address"))
		add(c, "net", name, value);
}

size_t inventory_collect(struct inventory_item items[CV_INVENTORY_MAX], const char *root)
{
	struct collection c = { items, 0, 0, root };

	add_dmi(&c);
	add_cpu(&c);
	for_each(&c, "/sys/block", take_disk);
	for_each(&c, "/sys/class/net", take_net);
	if (c.left_out > 0)
		log_warning(
			"inventory: %zu parts more than the %d that evidence can hold: left out",
			c.left_out, CV_INVENTORY_MAX);
	return c.count;
}

enum cv_err inventory_claim(struct evidence_platform *p, const char *root)
{
	struct inventory_item items[CV_INVENTORY_MAX];
	const size_t count = inventory_collect(items, root);
	enum cv_err err = CV_OK;

	p->inventory_count = 0;
	for (size_t i = 0; i < count && err == CV_OK; i++) {
		struct evidence_digest *claim = &p->inventory[p->inventory_count++];

		strcpy(claim->name, items[i].name);
		err = inventory_digest(claim->value, items[i].name, items[i].value,
			strlen(items[i].value));
	}
	return err;
}
