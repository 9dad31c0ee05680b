/* Times and versions as people write them, and who is a canary. */
#include "protocol/group.h"

#include <string.h>

#include "protocol/crypto.h"
#include "protocol/lp.h"

#define DAY_S 86400

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static unsigned int digits(const char *text, size_t n)
{
	unsigned int value = 0;

	for (size_t i = 0; i < n; i++)
		value = 10 * value + (unsigned int)(text[i] - '0');
	return value;
}

static int is_leap(unsigned int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned int days_of_month(unsigned int year, unsigned int month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to the first of January. */
static uint64_t days_before_year(unsigned int year)
{
	const uint64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

enum cv_err group_time_parse(const char *text, uint64_t *seconds)
{
	static const char form[] = "0000-00-00T00:00:00Z";
	unsigned int year, month, day, hour, minute, second;
	uint64_t days;

	for (size_t i = 0; i < sizeof(form); i++) {
		if (form[i] == '0' ? !is_digit(text[i]) : text[i] != form[i])
			return CV_ERR_FORMAT;
	}
	year = digits(text, 4);
	month = digits(text + 5, 2);
	day = digits(text + 8, 2);
	hour = digits(text + 11, 2);
	minute = digits(text + 14, 2);
	second = digits(text + 17, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 ||
		day > days_of_month(year, month) || hour > 23 || minute > 59 || second > 59)
		return CV_ERR_RANGE;
	days = days_before_year(year) + day - 1;
	for (unsigned int m = 1; m < month; m++)
		days += days_of_month(year, m);
	*seconds = days * DAY_S + hour * 3600u + minute * 60u + second;
	return CV_OK;
}

static size_t run_of_digits(const char *text)
{
	size_t n = 0;

	while (is_digit(text[n]))
		n++;
	return n;
}

/* Numbers without their leading zeros: the longer one is larger. */
static int compare_numbers(const char **a, const char **b)
{
	size_t na, nb;
	int order;

	while (**a == '0' && is_digit((*a)[1]))
		(*a)++;
	while (**b == '0' && is_digit((*b)[1]))
		(*b)++;
	na = run_of_digits(*a);
	nb = run_of_digits(*b);
	order = na != nb ? (na < nb ? -1 : 1) : memcmp(*a, *b, na);
	*a += na;
	*b += nb;
	return order;
}

int group_version_compare(const char *a, const char *b)
{
	while (*a != '\0' || *b != '\0') {
		if (is_digit(*a) && is_digit(*b)) {
			const int order = compare_numbers(&a, &b);

			if (order != 0)
				return order;
			continue;
		}
		if (*a != *b)
			return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
		a++;
		b++;
	}
	return 0;
}

enum cv_err group_is_canary(const char *group, const char *device, uint32_t percent, int *is)
{
	uint8_t text[256], hash[CV_HASH_BYTES];
	struct crypto_part part = {text, 0};
	uint32_t draw = 0;
	struct lp lp;
	enum cv_err err;

	lp_begin(&lp, text, sizeof(text), "conclave-canary-v1");
	lp_text(&lp, group);
	lp_text(&lp, device);
	err = lp_end(&lp, &part.len);
	if (err == CV_OK)
		err = crypto_sha256(hash, &part, 1);
	if (err != CV_OK)
		return err;
	for (size_t i = 0; i < sizeof(draw); i++)
		draw = draw << 8 | hash[i];
	*is = draw % 100 < percent;
	return CV_OK;
}
