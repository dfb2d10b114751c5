package main

import (
	"context"
	"fmt"
	"slices"

	"bordergate/cmd/gatesim/board"
	"bordergate/cmd/gatesim/report"
	"bordergate/cmd/gatesim/scenario"
	"bordergate/gate"
	"bordergate/sync/journal"
)

// inEmergency is the fire input's contact by the gate's default wiring.
const inEmergency = 6

// devices have the faults of a scenario.
type devices struct{ x *production }

// device can be struck and mended.
type device interface {
	Strike(verb string) error
	Mend() error
}

func (d devices) of(name string) device {
	switch name {
	case scenario.Board:
		return d.x.hw.board
	case scenario.Scanner:
		return d.x.hw.scanner
	case scenario.Face:
		return d.x.hw.face
	case scenario.Document:
		return d.x.hw.document
	default:
		return away(d)
	}
}

// Strike implements play.Devices.
func (d devices) Strike(f scenario.Fault) error { return d.of(f.Device).Strike(f.Verb) }

// Mend implements play.Devices.
func (d devices) Mend(f scenario.Fault) error { return d.of(f.Device).Mend() }

// away is headquarters with its broker. It comes back before the next traveller
// who needs it.
type away struct{ x *production }

func (a away) Strike(string) error {
	a.x.station.KillHQ()
	return nil
}

func (away) Mend() error { return nil }

// reset is the end of an emergency: an officer cannot sign off while the fire
// input is active, and the lane does not serve before he has after its reset.
func (x *production) reset(ctx context.Context) error {
	if err := x.station.SignOff(ctx); err == nil {
		return fmt.Errorf("an officer signed off while the fire input was active")
	}
	x.hw.board.SetInput(inEmergency, true)
	return x.station.WaitSignedOff(ctx)
}

// alarms holds what the gate raised while each traveller was there against what
// was expected.
func alarms(r *report.Report, there []journal.Line) {
	for i := range r.Travellers {
		t := &r.Travellers[i]
		next := int64(1<<63 - 1)
		if i+1 < len(r.Travellers) {
			next = r.Travellers[i+1].Arrived
		}
		var seen []string
		for _, l := range there {
			if l.Kind == gate.EntryAlarm && l.Mono >= t.Arrived && l.Mono < next {
				seen = append(seen, publicOf(l).Reasons...)
			}
		}
		slices.Sort(seen)
		t.Alarms = slices.Compact(seen)
		var want []string
		for _, v := range t.Expected.Alarms {
			want = append(want, v.String())
		}
		slices.Sort(want)
		if !slices.Equal(t.Alarms, want) {
			t.AsExpected = false
			t.Faults = append(t.Faults, fmt.Sprintf("alarms are %v, expected %v", t.Alarms, want))
		}
	}
}

// wrongSide names the releases that let somebody through against the lane's
// direction.
func wrongSide(grants []board.GrantSeen, direction string) (faults []string) {
	want := map[string]int{scenario.Entry: 0, scenario.Exit: 1}[direction]
	for _, g := range grants {
		if g.Channel != want {
			faults = append(faults, fmt.Sprintf("unlock %d was pulsed, the lane is for %s", g.Channel, direction))
		}
	}
	return faults
}
