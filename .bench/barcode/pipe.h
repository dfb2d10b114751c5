// The pipe that every peer speaks. A frame comes as five little-endian words
// (width, height, symbology, budget in microseconds, 1 for a new scene) and its
// grey pixels; the answer is one line: CPU microseconds of this process, then
// each payload in hexadecimal.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PIPE_QR = 0, PIPE_DATAMATRIX = 1, PIPE_AZTEC = 2 };

typedef struct {
	uint32_t width, height, symbology, budget, fresh;
	uint8_t *pixels;
} pipe_frame;

// pipe_next reads a frame into the one given; 0 at the end of the pipe.
static inline int pipe_next(pipe_frame *f) {
	uint32_t head[5];
	if (fread(head, sizeof head, 1, stdin) != 1) return 0;
	if (head[0] > 8192 || head[1] > 8192) return 0;
	size_t size = (size_t)head[0] * head[1];
	uint8_t *pixels = (uint8_t *)realloc(f->pixels, size);
	if (!pixels || fread(pixels, 1, size, stdin) != size) return 0;
	f->width = head[0], f->height = head[1], f->symbology = head[2];
	f->budget = head[3], f->fresh = head[4], f->pixels = pixels;
	return 1;
}

static inline uint64_t pipe_cpu(void) {
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline void pipe_payload(const uint8_t *bytes, size_t n) {
	putchar(' ');
	for (size_t i = 0; i < n; i++) printf("%02x", bytes[i]);
}

static inline void pipe_end(void) {
	putchar('\n');
	fflush(stdout);
}
