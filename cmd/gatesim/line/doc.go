// Package line is a bad line between two ends of an MQTT connection: a TCP
// proxy that takes time, breaks off, and loses, doubles and swaps PUBLISH
// packets both ways.
//
// A packet that is lost was acknowledged to its sender by the line itself, as
// by a broker that takes everything and keeps nothing: the sender goes on, so
// that only the ends' own cursors can tell. Packets of other kinds pass in
// order. What falls on whom follows from the seed and from the order in which
// packets come, which the ends' speed decides. Without faults and without
// delay the line changes nothing. It reads plain MQTT only, so that TLS does not
// pass.
package line
