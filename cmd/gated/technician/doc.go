// Package technician serves the technician's page: what the gate knows of
// itself, with the cure of whatever is wrong, and the cameras' live views for
// alignment.
//
//   - It reads. Nothing that is asked of it changes the gate; what it keeps is who
//     is signed in.
//   - A listener of its own, this machine's alone or under TLS. Nobody sees
//     anything without the token of a file that the owner and his group can read;
//     it is compared in constant time, exchanged for a cookie that no script reads,
//     and whoever tries others waits longer and longer. A session that nobody uses
//     ends.
//   - It holds no personal data: the page is made of sections of words that the
//     daemon gives. A view of a camera comes only when the daemon gives one, to
//     whoever looks at that moment, and is kept nowhere.
//   - The page is whole without a script. With one it follows by server-sent events:
//     a section is sent when it has changed. A page that does not keep up loses its
//     connection, and shows so until it has another; a daemon that starts again
//     takes over the token and so the sessions.
package technician
