package scanner

import (
	"bytes"
	"fmt"
	"slices"
)

// Dialect is a maker's command set.
type Dialect uint8

// The dialects. Each scanner has to be set to its serial (host) trigger mode
// once, by the maker's own sheet of codes: what is sent here lasts until power
// is lost and never wears its memory.
const (
	// Plain has no commands: the scanner triggers itself.
	Plain Dialect = iota
	// Honeywell: SYN T CR and SYN U CR, asked by REVINF.
	Honeywell
	// Datalogic: single letters, with nothing to ask.
	Datalogic
	// Newland: the temporary class of its setting codes. The trigger's tag is
	// not confirmed by the sources at hand: Options.NewlandTrigger names it.
	Newland
	// Zebra: SSI packets, each acknowledged.
	Zebra
	dialectEnd
)

// String is the dialect's name in configuration files, or "invalid".
func (d Dialect) String() string {
	if d >= dialectEnd {
		return "invalid"
	}
	return [...]string{"plain", "honeywell", "datalogic", "newland", "zebra"}[d]
}

// ParseDialect finds the dialect of a configuration name.
func ParseDialect(name string) (Dialect, error) {
	for d := range dialectEnd {
		if d.String() == name {
			return d, nil
		}
	}
	return 0, fmt.Errorf("parse dialect %.40q: not plain, honeywell, datalogic, newland or zebra", name)
}

// commands are the bytes of a dialect; nil where it has none.
type commands struct{ trigger, release, beep, query []byte }

const (
	syn = 0x16
	cr  = 0x0D
)

func (o Options) commands() commands {
	switch o.Dialect {
	case Honeywell:
		return commands{
			trigger: []byte{syn, 'T', cr}, release: []byte{syn, 'U', cr}, beep: []byte{syn, 0x07, cr},
			query: slices.Concat([]byte{syn, 'M', cr}, []byte("REVINF.")),
		}
	case Datalogic:
		return commands{trigger: []byte("T"), release: []byte("X"), beep: []byte("B")}
	case Newland:
		c := commands{}
		if o.NewlandTrigger != "" {
			c.trigger, c.release = newland(o.NewlandTrigger+"1"), newland(o.NewlandTrigger+"0")
		}
		if o.NewlandQuery != "" {
			c.query = newland(o.NewlandQuery + "*")
		}
		return c
	case Zebra:
		return commands{trigger: ssiPacket(ssiStart), release: ssiPacket(ssiStop), beep: ssiPacket(ssiBeep, 0), query: ssiPacket(ssiRevision)}
	}
	return commands{}
}

// newland wraps a tag and its data as a temporary setting.
func newland(setting string) []byte {
	return slices.Concat([]byte{0x7E, 0x01}, []byte("0000#"), []byte(setting), []byte{';', 0x03})
}

// answered says whether the bytes hold the end of an answer to the query. Its
// sense does not matter: something that knows the commands is there.
func (o Options) answered(b []byte) bool {
	switch o.Dialect {
	case Honeywell, Newland:
		return bytes.ContainsAny(b, "\x05\x06\x15")
	}
	return false
}
