#include "protocol/json_scan.h"

#include <string.h>

#include "protocol/limits.h"

struct scan {
	const uint8_t *start;
	const uint8_t *pos;
	const uint8_t *end;
	size_t name_count;		   /* names of the objects that are open now */
	uint32_t names[CV_JSON_NAMES_MAX]; /* offset behind the opening quote */
};

static enum cv_err scan_value(struct scan *s, unsigned int depth);

static void skip_space(struct scan *s)
{
	while (s->pos < s->end &&
		(*s->pos == ' ' || *s->pos == '\t' || *s->pos == '\n' || *s->pos == '\r'))
		s->pos++;
}

static int take(struct scan *s, char c)
{
	if (s->pos >= s->end || *s->pos != (uint8_t)c)
		return 0;
	s->pos++;
	return 1;
}

static enum cv_err read_hex4(const uint8_t **pos, const uint8_t *end, uint32_t *unit)
{
	uint32_t value = 0;

	if (end - *pos < 4)
		return CV_ERR_FORMAT;
	for (int i = 0; i < 4; i++) {
		uint8_t c = *(*pos)++;

		value <<= 4;
		if (c >= '0' && c <= '9')
			value |= c - (uint32_t)'0';
		else if (c >= 'a' && c <= 'f')
			value |= c - (uint32_t)'a' + 10;
		else if (c >= 'A' && c <= 'F')
			value |= c - (uint32_t)'A' + 10;
		else
			return CV_ERR_FORMAT;
	}
	*unit = value;
	return CV_OK;
}

/* Behind "\u": one code point, from one escape or a pair of surrogates. */
static enum cv_err read_unicode_escape(const uint8_t **pos, const uint8_t *end, uint32_t *point)
{
	uint32_t low;
	enum cv_err err = read_hex4(pos, end, point);

	if (err != CV_OK)
		return err;
	if (*point == 0 || (*point >= 0xdc00 && *point <= 0xdfff))
		return CV_ERR_FORMAT;
	if (*point < 0xd800 || *point > 0xdbff)
		return CV_OK;
	if (end - *pos < 2 || (*pos)[0] != '\\' || (*pos)[1] != 'u')
		return CV_ERR_FORMAT;
	*pos += 2;
	err = read_hex4(pos, end, &low);
	if (err != CV_OK)
		return err;
	if (low < 0xdc00 || low > 0xdfff)
		return CV_ERR_FORMAT;
	*point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
	return CV_OK;
}

static enum cv_err read_escape(const uint8_t **pos, const uint8_t *end, uint32_t *point)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";

	if (*pos >= end)
		return CV_ERR_FORMAT;
	if (**pos == 'u') {
		(*pos)++;
		return read_unicode_escape(pos, end, point);
	}
	for (size_t i = 0; i < sizeof(from) - 1; i++) {
		if (**pos == (uint8_t)from[i]) {
			(*pos)++;
			*point = (uint8_t)to[i];
			return CV_OK;
		}
	}
	return CV_ERR_FORMAT;
}

/* UTF-8 as RFC 3629 allows it: no overlong form, no surrogate, nothing above U+10FFFF. */
static enum cv_err read_utf8(const uint8_t **pos, const uint8_t *end, uint32_t *point)
{
	uint8_t lead = *(*pos)++;
	uint32_t value;
	uint32_t least;
	int more;

	if (lead < 0x80) {
		*point = lead;
		return lead < 0x20 ? CV_ERR_FORMAT : CV_OK;
	}
	if (lead >= 0xc2 && lead <= 0xdf) {
		more = 1;
		least = 0x80;
		value = lead & 0x1fu;
	} else if (lead >= 0xe0 && lead <= 0xef) {
		more = 2;
		least = 0x800;
		value = lead & 0x0fu;
	} else if (lead >= 0xf0 && lead <= 0xf4) {
		more = 3;
		least = 0x10000;
		value = lead & 0x07u;
	} else {
		return CV_ERR_FORMAT;
	}
	for (; more > 0; more--) {
		if (*pos >= end || (**pos & 0xc0) != 0x80)
			return CV_ERR_FORMAT;
		value = value << 6 | (*(*pos)++ & 0x3fu);
	}
	if (value < least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return CV_ERR_FORMAT;
	*point = value;
	return CV_OK;
}

/* The next code point of a string, or *ended at its closing quote, which is consumed. */
static enum cv_err read_point(
	const uint8_t **pos, const uint8_t *end, uint32_t *point, int *ended)
{
	*ended = 0;
	*point = 0;
	if (*pos >= end)
		return CV_ERR_FORMAT;
	if (**pos == '"') {
		(*pos)++;
		*ended = 1;
		return CV_OK;
	}
	if (**pos == '\\') {
		(*pos)++;
		return read_escape(pos, end, point);
	}
	return read_utf8(pos, end, point);
}

static enum cv_err scan_string(struct scan *s)
{
	uint32_t point;
	int ended = 0;
	enum cv_err err = CV_OK;

	if (!take(s, '"'))
		return CV_ERR_FORMAT;
	while (err == CV_OK && !ended)
		err = read_point(&s->pos, s->end, &point, &ended);
	return err;
}

/* Both strings were scanned; a and b are behind their opening quotes. */
static int same_string(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
	uint32_t point_a;
	uint32_t point_b;
	int ended_a;
	int ended_b;

	for (;;) {
		if (read_point(&a, end, &point_a, &ended_a) != CV_OK ||
			read_point(&b, end, &point_b, &ended_b) != CV_OK)
			return 1;
		if (ended_a != ended_b || point_a != point_b)
			return 0;
		if (ended_a)
			return 1;
	}
}

/* `first` is the index of the first name of the object that this one belongs to. */
static enum cv_err scan_name(struct scan *s, size_t first)
{
	const uint8_t *name = s->pos + 1;
	enum cv_err err = scan_string(s);

	if (err != CV_OK)
		return err;
	for (size_t i = first; i < s->name_count; i++) {
		if (same_string(s->start + s->names[i], name, s->end))
			return CV_ERR_FORMAT;
	}
	if (s->name_count >= CV_JSON_NAMES_MAX)
		return CV_ERR_TOO_LONG;
	s->names[s->name_count++] = (uint32_t)(name - s->start);
	skip_space(s);
	return take(s, ':') ? CV_OK : CV_ERR_FORMAT;
}

static enum cv_err scan_object(struct scan *s, unsigned int depth)
{
	size_t first = s->name_count;
	enum cv_err err;

	if (depth > CV_JSON_DEPTH_MAX || !take(s, '{'))
		return CV_ERR_FORMAT;
	skip_space(s);
	if (take(s, '}'))
		return CV_OK;
	do {
		skip_space(s);
		err = scan_name(s, first);
		if (err == CV_OK)
			err = scan_value(s, depth + 1);
		if (err != CV_OK)
			return err;
		skip_space(s);
	} while (take(s, ','));
	s->name_count = first;
	return take(s, '}') ? CV_OK : CV_ERR_FORMAT;
}

static enum cv_err scan_array(struct scan *s, unsigned int depth)
{
	enum cv_err err;

	if (depth > CV_JSON_DEPTH_MAX || !take(s, '['))
		return CV_ERR_FORMAT;
	skip_space(s);
	if (take(s, ']'))
		return CV_OK;
	do {
		err = scan_value(s, depth + 1);
		if (err != CV_OK)
			return err;
		skip_space(s);
	} while (take(s, ','));
	return take(s, ']') ? CV_OK : CV_ERR_FORMAT;
}

static enum cv_err scan_number(struct scan *s)
{
	int negative = take(s, '-');
	const uint8_t *digits = s->pos;
	uint64_t value = 0;
	int too_large = 0;

	while (s->pos < s->end && *s->pos >= '0' && *s->pos <= '9') {
		value = value * 10 + (*s->pos++ - (uint64_t)'0');
		if (value > CV_JSON_INTEGER_MAX) {
			too_large = 1;
			value = CV_JSON_INTEGER_MAX;
		}
	}
	if (s->pos == digits)
		return CV_ERR_FORMAT;
	if (*digits == '0' && (negative || s->pos - digits > 1))
		return CV_ERR_FORMAT;
	/* a fraction or exponent is refused where the caller finds neither "," nor a bracket */
	return too_large ? CV_ERR_RANGE : CV_OK;
}

static enum cv_err scan_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->pos) < n || memcmp(s->pos, word, n) != 0)
		return CV_ERR_FORMAT;
	s->pos += n;
	return CV_OK;
}

static enum cv_err scan_value(struct scan *s, unsigned int depth)
{
	skip_space(s);
	if (s->pos >= s->end)
		return CV_ERR_FORMAT;
	switch (*s->pos) {
	case '{':
		return scan_object(s, depth);
	case '[':
		return scan_array(s, depth);
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		return scan_number(s);
	}
}

static void scan_begin(struct scan *s, const char *text, size_t len)
{
	s->start = (const uint8_t *)text;
	s->pos = s->start;
	s->end = s->start + len;
	s->name_count = 0;
}

enum cv_err json_scan_to(const char *text, size_t len, size_t max, size_t *at)
{
	struct scan s;
	enum cv_err err;

	*at = 0;
	if (len > max || len > UINT32_MAX)
		return CV_ERR_TOO_LONG;
	scan_begin(&s, text, len);
	skip_space(&s);
	err = scan_object(&s, 1);
	if (err == CV_OK) {
		skip_space(&s);
		err = s.pos == s.end ? CV_OK : CV_ERR_FORMAT;
	}
	*at = (size_t)(s.pos - s.start);
	return err;
}

enum cv_err json_scan(const char *text, size_t len, size_t max)
{
	size_t at;

	return json_scan_to(text, len, max, &at);
}

/* 1 if the string behind the opening quote at `pos` is `name` (ASCII). */
static int string_is(const uint8_t *pos, const uint8_t *end, const char *name)
{
	uint32_t point;
	int ended;

	for (;; name++) {
		if (read_point(&pos, end, &point, &ended) != CV_OK)
			return 0;
		if (ended)
			return *name == '\0';
		if (*name == '\0' || point != (uint8_t)*name)
			return 0;
	}
}

enum cv_err json_member_raw(
	const char *text, size_t len, const char *name, const char **value, size_t *value_len)
{
	const uint8_t *string;
	const uint8_t *from;
	struct scan s;
	enum cv_err err;

	scan_begin(&s, text, len);
	skip_space(&s);
	if (!take(&s, '{'))
		return CV_ERR_FORMAT;
	skip_space(&s);
	if (take(&s, '}'))
		return CV_ERR_TYPE;
	do {
		skip_space(&s);
		string = s.pos + 1;
		err = scan_name(&s, 0);
		if (err != CV_OK)
			return err;
		skip_space(&s);
		from = s.pos;
		err = scan_value(&s, 2);
		if (err != CV_OK)
			return err;
		if (string_is(string, s.end, name)) {
			*value = (const char *)from;
			*value_len = (size_t)(s.pos - from);
			return CV_OK;
		}
		skip_space(&s);
	} while (take(&s, ','));
	return CV_ERR_TYPE;
}
