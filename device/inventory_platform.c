/* What was booted: kernel, state of secure boot, command line. */
#include "device/inventory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/place.h"
#include "host/file.h"
#include "protocol/crypto.h"

#define CMDLINE_MAX 65536
#define EFI_DIR "/sys/firmware/efi"
#define EFI_GLOBAL "8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define EFI_VARIABLE_BYTES 5 /* four of attributes, then the value */

/* -1: not there. */
static int efi_variable(const char *root, const char *name)
{
	char path[FILE_PATH_BUF];
	uint8_t data[EFI_VARIABLE_BYTES + 1];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s" EFI_DIR "/efivars/%s-" EFI_GLOBAL, root, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -1;
	n = read(fd, data, sizeof(data));
	close(fd);
	return n == EFI_VARIABLE_BYTES ? data[EFI_VARIABLE_BYTES - 1] : -1;
}

static const char *boot_state(const char *root)
{
	char path[FILE_PATH_BUF];
	const int secure = efi_variable(root, "SecureBoot");
	const int setup = efi_variable(root, "SetupMode");

	snprintf(path, sizeof(path), "%s" EFI_DIR, root);
	if (access(path, F_OK) != 0)
		return "none";
	if (secure < 0)
		return "unknown";
	if (secure == 1)
		return "secure";
	return setup == 1 ? "setup" : "off";
}

static enum cv_err read_text(uint8_t **text, size_t *len, const char *root, const char *name)
{
	char path[FILE_PATH_BUF];

	snprintf(path, sizeof(path), "%s%s", root, name);
	return file_read(text, len, path, CMDLINE_MAX);
}

enum cv_err inventory_platform(struct evidence_platform *p, const char *root)
{
	struct crypto_part part;
	uint8_t *text = NULL;
	size_t len = 0;
	enum cv_err err = CV_OK;

	strcpy(p->boot_state, boot_state(root));
	if (read_text(&text, &len, root, "/proc/sys/kernel/osrelease") == CV_OK) {
		text[strcspn((char *)text, "\n")] = '\0';
		place_text(p->kernel, (char *)text);
		free(text);
		text = NULL;
	}
	if (read_text(&text, &len, root, "/proc/cmdline") == CV_OK) {
		/* as sha256sum of the line without its end sees it */
		part.data = text;
		part.len = strcspn((char *)text, "\n");
		err = crypto_sha256(p->cmdline, &part, 1);
		p->has_cmdline = err == CV_OK;
		free(text);
	}
	return err;
}
