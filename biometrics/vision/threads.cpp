//go:build cgo

#include <opencv2/core/utility.hpp>

extern "C" void bordergate_set_threads(int n) {
	try {
		cv::setNumThreads(n);
	} catch (...) {
	}
}
