// Package vision speaks to the camera workers and keeps them alive. It has no C++ in it: pictures are worked on in a child process,
// because an error in the image library ends its process, and because a camera read cannot be interrupted.
//
// Guarantees:
//   - The worker gets one inherited socket (descriptor 3), a minimal environment, and no other descriptor. It dies with its parent.
//   - Everything a worker sends is bounded (1 MiB a message) and checked before it is used. Anything else than a well-formed message
//     of the known version ends the worker; it is never skipped.
//   - A worker that ends, misses its beat, or grows past its memory is killed and replaced: the first time at once, then after a
//     back-off of at most two seconds. What it was watching is asked for again.
//   - Events are delivered in order. When the reader is slow the oldest frames are dropped, newest frames win; Up and Down are kept.
//   - Watch, Stop and Still never block.
//   - The worker is never given a reference template, and what it sends is evidence, not a decision.
package vision
