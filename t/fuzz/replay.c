/* SPDX-License-Identifier: MIT */
/* Runs a corpus through a fuzz target without libFuzzer, so that every `make check` does: each
 * file whole, cut at every byte, and with every bit turned once.  Input stands in a block of
 * exactly its size. */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"

static void run(const uint8_t *data, size_t len)
{
    uint8_t *exact = malloc(len);

    MUST(exact != NULL || len == 0);
    if (len > 0) {
        memcpy(exact, data, len);
    }
    (void)LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

static unsigned run_variants(uint8_t *data, size_t len)
{
    for (size_t cut = 0; cut <= len; cut++) {
        run(data, cut);
    }
    for (size_t bit = 0; bit < len * 8; bit++) {
        data[bit / 8] = (uint8_t)(data[bit / 8] ^ 1u << bit % 8);
        run(data, len);
        data[bit / 8] = (uint8_t)(data[bit / 8] ^ 1u << bit % 8);
    }
    return (unsigned)(len * 9 + 1);
}

/* Returns the number of inputs made from a file. */
static unsigned run_file(const char *dir, const char *name)
{
    static uint8_t data[65536];
    char path[4096];

    MUST(snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path));
    FILE *f = fopen(path, "rb");
    MUST(f != NULL);
    size_t len = fread(data, 1, sizeof(data), f);
    MUST(ferror(f) == 0 && len < sizeof(data));
    fclose(f);
    return run_variants(data, len);
}

/* One line of TAP for each file. */
static unsigned run_corpus(DIR *dir, const char *path)
{
    unsigned files = 0;

    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (e->d_name[0] != '.') {
            unsigned inputs = run_file(path, e->d_name);
            printf("ok %u - %s: %s and its variants, %u inputs\n", ++files, TARGET, e->d_name,
                   inputs);
        }
    }
    return files;
}

int main(void)
{
    const char *source = getenv("QUICMS_SOURCE");
    char path[4000];

    MUST(snprintf(path, sizeof(path), "%s/t/fuzz/corpus/" TARGET, source ? source : ".") <
         (int)sizeof(path));
    DIR *dir = opendir(path);
    if (dir == NULL) {
        printf("Bail out! No folder %s\n", path);
        return 1;
    }
    unsigned files = run_corpus(dir, path);
    closedir(dir);
    printf("1..%u\n", files);
    return files > 0 ? 0 : 1;
}
