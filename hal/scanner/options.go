package scanner

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bordergate/hal"
	"bordergate/hal/port"
)

// ErrSession is returned for a session number that is not one.
var ErrSession = errors.New("session 0 is no session")

// Options say which scanner, and how it talks.
type Options struct {
	Name    string       // in events and errors; the port's path when empty
	Port    port.Options // USB scanners ignore the speed; RS-232 should be at 115200
	Dialect Dialect
	Framing Framing // of all dialects but Zebra
	AIM     bool    // the scanner is set to send AIM identifiers; a scan without one is spoilt

	// Gap between the bytes of a scan, at most; 300 ms. With Framing Idle it
	// ends the scan, and 100 ms suffice.
	Gap time.Duration
	// Repeat is how long the same payload is not delivered again in a session; 2.5 s.
	Repeat time.Duration
	// Query is how often a scanner that can be asked is, outside sessions; 10 s.
	// Two questions without an answer within Reply (1 s) make it offline.
	Query, Reply time.Duration

	// Retrigger is how often the trigger is given again in a session, besides
	// after each scan; 3 s. It is shorter than any maker's read time-out.
	Retrigger time.Duration

	NewlandTrigger string // setting tag, such as "SCNTRG"; without it nothing is triggered
	NewlandQuery   string // setting tag that can be read; without it nothing is asked
	ZebraTypeOnce  bool   // only the first of continued packets begins with the code type

	Log *slog.Logger // nil for none
	// Open takes the line anew; nil for port.Open of Port.
	Open func() (port.Port, error)
}

// DefaultOptions are those of a plain scanner with suffix CR, without a path.
func DefaultOptions() Options {
	return Options{
		Port: port.DefaultOptions(), Gap: 300 * time.Millisecond, Repeat: 2500 * time.Millisecond,
		Query: 10 * time.Second, Reply: time.Second, Retrigger: 3 * time.Second,
	}
}

func (o *Options) check() error {
	const longest = time.Minute
	var faults []error
	for _, d := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{{"gap", o.Gap, 20 * time.Millisecond}, {"repeat", o.Repeat, 0}, {"query", o.Query, time.Second}, {"reply", o.Reply, 50 * time.Millisecond}, {"retrigger", o.Retrigger, 50 * time.Millisecond}} {
		if d.value < d.least || d.value > longest {
			faults = append(faults, fmt.Errorf("%s is not %v to %v", d.name, d.least, longest))
		}
	}
	if o.Dialect >= dialectEnd || o.Framing > Idle {
		faults = append(faults, errors.New("dialect or framing is none"))
	}
	if o.Open == nil && o.Port.Path == "" {
		faults = append(faults, errors.New("no port is named"))
	}
	return errors.Join(faults...)
}

func (o *Options) name() string {
	if o.Name != "" {
		return o.Name
	}
	return o.Port.Path
}

func (o *Options) parser() parser {
	if o.Dialect == Zebra {
		return &ssiParser{gap: o.Gap, once: o.ZebraTypeOnce}
	}
	return &lineParser{framing: o.Framing, aim: o.AIM, gap: o.Gap}
}

// EventKind is what happened.
type EventKind uint8

// The kinds of event.
const (
	Online  EventKind = iota + 1 // the line is open, and the scanner answered if it can be asked
	Offline                      // Err says why
	Scanned                      // Scan holds it
	Spoilt                       // a scan came and was not whole; Err says how
)

// String is the kind's name in records, or "invalid".
func (k EventKind) String() string {
	if k < Online || k > Spoilt {
		return "invalid"
	}
	return [...]string{"", "online", "offline", "scanned", "spoilt"}[k]
}

// Event is something that happened at the scanner.
type Event struct {
	Kind    EventKind
	At      hal.Mono
	Device  string
	Session uint32 // of Scanned and Spoilt
	Scan    Scan   // of Scanned
	Err     error  // of Offline and Spoilt; it never quotes what was scanned
}

// Scan is a whole barcode.
type Scan struct {
	Payload   []byte // as the barcode holds it, as far as the scanner passes that on
	AIM       string // the identifier, such as "]Q1"; empty if the scanner sends none
	Symbology string // "qr", "datamatrix", "aztec", "pdf417", "code128" or empty
	ECI       bool   // escapes of character sets were taken out
	Unframed  bool   // silence ended it: it may lack its end
}

// Health is what is known of the scanner.
type Health struct {
	Online     bool
	Err        error    // why it is not online; nil if it is
	Heard      hal.Mono // when it last sent anything; zero for never
	Answered   hal.Mono // when it last answered a question; zero for never
	Scans      uint64   // delivered
	Duplicates uint64
	Spoilt     uint64
	Stray      uint64 // bytes outside sessions
	Lost       uint64 // events dropped because nobody read them
}
