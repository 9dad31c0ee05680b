/* What cmocka wants included before it, in one place. */
#ifndef CONCLAVE_TESTS_CMOCKA_ALL_H
#define CONCLAVE_TESTS_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#endif
