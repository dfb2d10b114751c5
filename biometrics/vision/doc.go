// Package vision finds, aligns, measures and embeds faces with OpenCV, and reads cameras. It is the only package with C++ under it.
//
// Guarantees:
//   - Built without cgo, every function that needs OpenCV returns ErrNoVision.
//   - A model is read into memory, compared with its SHA-256, and only then given to OpenCV: a corrupt model would end the process.
//   - Every picture is checked (not empty, 8-bit, three channels, not absurdly small or large) before it reaches OpenCV, for the same
//     reason. The process can still die in C++; it is meant to run as a child that is replaced.
//   - A picture file is JPEG or PNG, whole, of one frame, and its size is read from its header first.
//   - A Pipeline is for one goroutine: a network shared by two gives wrong results without an error. Every Mat is closed.
//   - A Camera hands out the newest frame only, with the CLOCK_MONOTONIC time at which it was taken; a frame older than 500 ms is none,
//     and neither is one that is its predecessor again: a frozen camera is a dead one.
//   - An http or https camera is read here, not by OpenCV: within time and memory limits, through no proxy, from its own host only. Its
//     newest picture is decoded, timed at its last byte; one that is not whole, or not of the one size, is never handed out.
//   - The order of colours is fixed here, once: frames are BGR; the detector is fed RGB, the liveness network BGR.
//   - Nothing here knows a certain recogniser: size, scaling, colours, alignment and output of its network come with the model.
package vision
