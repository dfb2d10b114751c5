package modbusio

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"bordergate/hal"
	"bordergate/hal/turnstile/modbus/modbustest"
)

// newPeerRig is a driver that is online on a slave of pymodbus.
func newPeerRig(t *testing.T, profile string) (*rig, *modbustest.Slave) {
	t.Helper()
	link := filepath.Join(t.TempDir(), "barrier")
	s := modbustest.New(t, modbustest.Options{Link: link, Baud: 115200, Unit: 1})
	for _, ch := range []int{2, 3, 5, 6, 7} { // ready, door, tamper, emergency, mains
		if err := s.Set(ch, true); err != nil {
			t.Fatal(err)
		}
	}
	o := wired()
	o.Port.Path, o.Profile = link, Profiles()[profile]
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{d: d}
	r.serve(t)
	r.want(t, hal.DeviceOnline)
	return r, s
}

// A slave that is not ours sees what we say we do, by coils and by registers.
func TestPymodbusIsAGate(t *testing.T) {
	for _, profile := range []string{"lc", "fc06"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			r, s := newPeerRig(t, profile)
			drive := func(ch int, on bool, told hal.EventKind) {
				t.Helper()
				if err := s.Set(ch, on); err != nil {
					t.Fatal(err)
				}
				r.want(t, told)
			}
			drive(8, true, hal.PresenceOn)
			drive(6, false, hal.EmergencyOn)
			if err := r.d.Grant(t.Context(), hal.Grant{ID: hal.GrantID{9}, Dir: hal.Exit}); !errors.Is(err, hal.ErrEmergency) {
				t.Errorf("grant in an emergency: %v", err)
			}
			drive(6, true, hal.EmergencyOff)
			g := hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}
			if err := r.d.Grant(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			r.want(t, hal.GrantAccepted)
			until(t, s, 1, false)
			drive(4, true, hal.PassageStarted)
			if err := s.Pulse(1, 150*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			if e := r.want(t, hal.PassageCompleted); e.Grant != g.ID {
				t.Errorf("completed %+v", e)
			}
			pulses := 0
			for _, w := range s.Writes() {
				if w.Coil != (profile == "lc") {
					t.Errorf("wrote %+v", w)
				}
				if w.Address == 1 && w.Value != 0 {
					pulses++
				}
				if w.Address == 0 && w.Value != 0 {
					t.Error("the other direction was unlocked")
				}
			}
			if pulses != 1 {
				t.Errorf("%d pulses", pulses)
			}
		})
	}
}

// until waits for a relay to be written on and then to what is wanted.
func until(t *testing.T, s *modbustest.Slave, addr int, on bool) {
	t.Helper()
	limit := time.After(10 * time.Second)
	seen := false
	for {
		select {
		case w := <-s.Told():
			if w.Address != addr {
				continue
			}
			seen = seen || w.Value != 0
			if seen && (w.Value != 0) == on {
				return
			}
		case <-limit:
			t.Fatalf("relay %d never went to %v", addr, on)
		}
	}
}

// A board without the addresses of a profile refuses the pulse; nothing is
// given, and it is said.
func TestWrongProfileIsRefusedByTheSlave(t *testing.T) {
	t.Parallel()
	r, s := newPeerRig(t, "waveshare")
	err := r.d.Grant(t.Context(), hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit})
	if !errors.Is(err, hal.ErrRejected) {
		t.Errorf("grant: %v", err)
	}
	if e := r.want(t, hal.GrantRejected); e.Code != 2 {
		t.Errorf("told %+v", e)
	}
	for _, w := range s.Writes() {
		if w.Value != 0 {
			t.Errorf("wrote %+v", w)
		}
	}
}
