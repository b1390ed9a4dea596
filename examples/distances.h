/* SPDX-License-Identifier: MIT */
/* How far apart two sequences of numbers are, in three ways. */
#ifndef QUICMS_EXAMPLE_DISTANCES_H
#define QUICMS_EXAMPLE_DISTANCES_H

#include <stdbool.h>
#include <stddef.h>

#define DISTANCES_MAX 4096 /* elements of a sequence */

struct distances {
    double dtw;  /* dynamic time warping, cost |a - b|; 0 for two empty ones, else infinite
                    when one is empty */
    size_t edit; /* insertions, deletions, replacements (Levenshtein) */
    size_t lcs;  /* length of the longest common subsequence */
};

/** False: out of memory. */
bool distances(const double *a, size_t a_len, const double *b, size_t b_len,
               struct distances *out);

#endif
