package configs

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The rules below each record at most one fault for a path, and none where the
// value could not even be decoded.

func (d *document) version(n int) {
	if n != 1 && !d.broken("version") {
		if d.has("version") {
			d.fault("version", "is not a version that this program knows", "version: 1")
		} else {
			d.fault("version", "is missing", "begin with \"version: 1\"")
		}
	}
}

// filled demands a value; it says whether the value is worth more rules.
func (d *document) filled(path, value string) bool {
	d.learn(path, Limits{Filled: true})
	if d.broken(path) {
		return false
	}
	switch {
	case strings.TrimSpace(value) == "":
		d.fault(path, "is missing", "")
	case len(value) > 4096:
		d.fault(path, "is too long", "")
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
		d.fault(path, "holds a control character", "")
	default:
		return true
	}
	return false
}

// word demands 1 to longest characters, each one that allowed accepts.
func (d *document) word(path, value string, longest int, allowed func(rune) bool, hint string) {
	d.learn(path, Limits{Form: hint})
	if !d.filled(path, value) {
		return
	}
	if len(value) > longest || strings.ContainsFunc(value, func(r rune) bool { return !allowed(r) }) {
		d.fault(path, "has a form that is not allowed", hint)
	}
}

// oneOf demands one of a few words.
func (d *document) oneOf(path, value string, allowed ...string) {
	d.learn(path, Limits{OneOf: anys(allowed)})
	if !d.filled(path, value) || slices.Contains(allowed, value) {
		return
	}
	d.fault(path, "is none of "+strings.Join(allowed, ", "), suggest(value, allowed))
}

// oneOfNumbers demands one of a few numbers.
func oneOfNumbers[N int | float64](d *document, path string, value N, allowed ...N) {
	d.learn(path, Limits{OneOf: anys(allowed)})
	if d.broken(path) || slices.Contains(allowed, value) {
		return
	}
	words := make([]string, len(allowed))
	for i, n := range allowed {
		words[i] = fmt.Sprint(n)
	}
	d.fault(path, "is not one of the values allowed", "one of "+strings.Join(words, ", "))
}

// between demands low <= value <= high.
func between[N cmp.Ordered](d *document, path string, value, low, high N) {
	d.learn(path, Limits{Least: low, Most: high})
	if !d.broken(path) && (value < low || value > high) {
		d.fault(path, "is out of range", span(path, low, high))
	}
}

// address demands host:port.
func (d *document) address(path, value string) (host string, ok bool) {
	d.learn(path, Limits{Form: "host:port"})
	if !d.filled(path, value) {
		return "", false
	}
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		d.fault(path, "is not host:port", "such as 127.0.0.1:7080")
		return "", false
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		d.fault(path, "has no port from 0 to 65535", "such as 127.0.0.1:7080")
		return "", false
	}
	return host, true
}

// loopback demands host:port on this machine itself.
func (d *document) loopback(path, value string) {
	d.loopbackOr(path, value, "it is served without a password: use 127.0.0.1:PORT")
}

// loopbackOr is loopback with a cure of its own.
func (d *document) loopbackOr(path, value, cure string) {
	host, ok := d.address(path, value)
	if !ok {
		return
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		d.fault(path, "is not an address of this machine alone", cure)
	}
}

// serialPort demands the path of a serial line that stays the same.
func (d *document) serialPort(path, value string) bool {
	if strings.HasPrefix(value, "/dev/ttyUSB") || strings.HasPrefix(value, "/dev/ttyACM") {
		d.fault(path, "names a device by a number that changes when it is plugged in again",
			"use its link below /dev/serial/by-path, or one that a udev rule makes")
		return false
	}
	return d.filled(path, value)
}

// bauds are the speeds of a serial line.
func bauds() []int { return []int{9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600} }

// socket demands a path that fits the address of a UNIX socket.
func (d *document) socket(path, value string) {
	const most = 107 // sun_path without its final zero
	d.learn(path, Limits{Form: fmt.Sprintf("a path of at most %d bytes", most)})
	if d.filled(path, value) && len(value) > most {
		d.fault(path, fmt.Sprintf("is longer than the %d bytes a socket's path may have", most), "choose a shorter folder")
	}
}

// link demands scheme://host, with a port where one is asked for, and no
// password: a configuration file is no place for one.
func (d *document) link(path, value string, needPort bool, schemes ...string) {
	d.learn(path, Limits{Form: "begins with " + strings.Join(schemes, "://, ") + "://"})
	if !d.filled(path, value) {
		return
	}
	hint := "such as " + schemes[0] + "://127.0.0.1:1883"
	u, err := url.Parse(value)
	switch {
	case err == nil && u.User != nil:
		d.hide(path)
		d.fault(path, "holds a name or a password", "give the address alone")
	case err != nil || u.Hostname() == "":
		d.fault(path, "is not an address", hint)
	case !slices.Contains(schemes, u.Scheme):
		d.fault(path, "begins with none of "+strings.Join(schemes, "://, ")+"://", hint)
	case needPort && u.Port() == "":
		d.fault(path, "has no port", hint)
	}
}

// hide keeps the value at path out of the faults.
func (d *document) hide(path string) {
	at := d.places[path]
	at.value = ""
	d.places[path] = at
}
