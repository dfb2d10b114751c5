// Package camera plays the gate's two cameras: HTTP MJPEG servers that replay
// pictures encoded beforehand, 25 a second.
//
// The moment of each frame is fixed by an absolute schedule on
// CLOCK_MONOTONIC: a late frame does not make the next one late, and no frame
// is sent twice to catch up. What is shown is asked of one Program at the
// moment of each frame; the Program notes when a frame was sent whose truth
// somebody measures from. A viewer that reads too slowly misses frames, as
// with a real camera, and never holds another up.
package camera
