//go:build cgo

package vision

/*
#cgo pkg-config: opencv4
#cgo CXXFLAGS: -std=c++11
void bordergate_set_threads(int n);
*/
import "C"

// SetThreads sets how many threads OpenCV uses in this process, 1 to 16. No environment variable does it on a TBB build.
func SetThreads(n int) { C.bordergate_set_threads(C.int(min(max(n, 1), 16))) }
