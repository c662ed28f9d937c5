// How matrices lie in memory: tiles of 16 rows, in each of which the rows' groups lie side by side.
#pragma once
#include <cstdint>

#include "stormproof.h"

// Row `row` of a packed matrix, as numbers. [cols]
void unpack_row(const SpMatrix& matrix, int64_t row, float* out);
