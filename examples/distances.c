/* SPDX-License-Identifier: MIT */
/* Three recurrences over the same table, of which two rows are kept. */
#include "distances.h"

#include <math.h>
#include <stdlib.h>

struct row {
    double dtw;
    size_t edit, lcs;
};

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* One cell from those to the left, above, and both. */
static struct row cell(double a, double b, const struct row *left, const struct row *above,
                       const struct row *corner)
{
    bool same = a == b;
    double best = fmin(corner->dtw, fmin(left->dtw, above->dtw));
    struct row r;

    r.dtw = fabs(a - b) + best;
    r.edit = min3(corner->edit + (same ? 0 : 1), left->edit + 1, above->edit + 1);
    r.lcs = same ? corner->lcs + 1 : left->lcs > above->lcs ? left->lcs : above->lcs;
    return r;
}

bool distances(const double *a, size_t a_len, const double *b, size_t b_len,
               struct distances *out)
{
    struct row *row = calloc(b_len + 1, sizeof(*row)), corner, old;

    if (row == NULL) {
        return false;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = (struct row){.dtw = j == 0 ? 0 : INFINITY, .edit = j};
    }
    for (size_t i = 1; i <= a_len; i++) {
        corner = row[0];
        row[0] = (struct row){.dtw = INFINITY, .edit = i};
        for (size_t j = 1; j <= b_len; j++) {
            old = row[j];
            row[j] = cell(a[i - 1], b[j - 1], &row[j - 1], &old, &corner);
            corner = old;
        }
    }
    *out = (struct distances){row[b_len].dtw, row[b_len].edit, row[b_len].lcs};
    free(row);
    return true;
}
