// Package vision speaks to the camera workers and keeps them alive. It has no C++ in it: pictures are worked on in a child process,
// because an error in the image library ends its process, and because a camera read cannot be interrupted.
//
// Guarantees:
//   - The worker gets one inherited socket (descriptor 3), one page of memory for its last words (4), a minimal environment, and no
//     other descriptor. It dies with its parent.
//   - Everything a worker sends is bounded (1 MiB a message) and checked before it is used. Anything else than a well-formed message
//     of the known version ends the worker; it is never skipped.
//   - A worker that ends, misses its beat, or grows past its memory is killed and replaced: the first time at once, then after a
//     back-off of at most two seconds. What it was watching is asked for again. Silence is counted in the supervisor's own turns, and
//     a worker that a loaded machine does not let run is given longer than one that is stopped or waits for ever.
//   - A worker that is a day old or has grown is replaced before that, once nobody has been watched for a while.
//   - A worker that ended badly leaves a crash file: the step, the frame's number, time, size and digest, the network, its last lines.
//     Nothing of the picture is in it, and the files are few.
//   - Events are delivered in order. When the reader is slow the oldest frames are dropped, newest frames win; Up and Down are kept.
//   - Watch, Stop and Still never block.
//   - The worker is never given a reference template, and what it sends is evidence, not a decision.
package vision
