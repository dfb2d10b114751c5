// Package link is the MQTT session between a gate and headquarters, and the
// gate's two engines on top of it.
//
// A Session makes a new client for every connection, with a clean session and
// no automatic reconnection: whatever was under way when a connection ended
// counts as not delivered, and a publish token never lies about it. Received
// messages go to one bounded channel; a reader that does not keep up loses the
// connection, never the daemon, and starts again from its cursors.
//
// Uplink sends the journal's records. It starts at the cursor that HQ has
// signed, keeps as many batches under way as the line carries without a queue,
// and nothing but HQ's signed cumulative acknowledgement moves the journal's
// cursor; a broker's acknowledgement means nothing. What is recorded while a
// backlog drains goes ahead of it as a copy, which HQ may show and never
// counts. Downlink brings HQ's account changes: a suspension bites before it is
// committed, a restoration after; a hole is asked for again, and where HQ
// answers with a snapshot, that is fetched piece by piece and put in place
// beside the suspensions that go on biting. Those that were missed come before
// it, and once they are all in force nobody has to wait for the rest. What is
// forged, retained, misaddressed, expired or out of order is counted and does
// nothing; a command is passed on only once it is proven to be HQ's word to
// this gate, and only then answered.
package link
