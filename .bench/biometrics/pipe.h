// The pipe that the peers for faces speak. A picture comes as four little-endian
// words (width, height, flags, 0) and its BGR pixels, rows without gaps; the
// answer is a line of JSON: faces found, the chosen one's box and vector, and
// microseconds of the wall clock for each stage.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

enum { PIPE_CENTRE = 1, PIPE_LIVE = 2 };  // flags: the face nearest the middle; liveness too

struct Picture {
	uint32_t head[4] = {};  // width, height, flags, 0
	std::vector<uint8_t> bgr;

	// next reads a picture; false at the end of the pipe.
	bool next() {
		if (std::fread(head, sizeof head, 1, stdin) != 1 || head[0] > 8192 || head[1] > 8192) return false;
		bgr.resize(size_t(head[0]) * head[1] * 3);
		return std::fread(bgr.data(), 1, bgr.size(), stdin) == bgr.size();
	}
};

inline double micros() {
	using namespace std::chrono;
	return double(duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count()) / 1e3;
}
