/* A fresh directory per test, removed with all below it. */
#ifndef CONCLAVE_TESTS_SUPPORT_TEMP_DIR_H
#define CONCLAVE_TESTS_SUPPORT_TEMP_DIR_H

/* cmocka fixtures; *state is the path. */
int temp_dir_setup(void **state);
int temp_dir_teardown(void **state);
/* `dir`/`name`, in one of a few static buffers. */
const char *temp_path(void **state, const char *name);

#endif
