package gate

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"bordergate/gate/reason"
)

// failures brings each row of the table about in a lane: at ready, or from the
// start where the row is about that.
func failures() map[string]func(t *testing.T, r *rig) {
	start := func(ins ...Input) func(*testing.T, *rig) {
		return func(_ *testing.T, r *rig) {
			r.give(append([]Input{Start(0)}, ins...)...)
			r.late()
		}
	}
	ready := func(do func(r *rig)) func(*testing.T, *rig) {
		return func(t *testing.T, r *rig) {
			r.open(t)
			do(r)
		}
	}
	// during has it happen while a traveller is there who would be admitted.
	during := func(do func(r *rig)) func(*testing.T, *rig) {
		return ready(func(r *rig) {
			r.give(Presence(0, On))
			r.usable(3)
			do(r)
		})
	}
	untouched := ready(func(*rig) {})
	up, doc, face := TurnstileUp(0, true), CameraUp(0, DocumentCamera, true), CameraUp(0, FaceCamera, true)
	safe, free, empty := EmergencyInput(0, Off), Obstruction(0, Off), Presence(0, Off)
	return map[string]func(*testing.T, *rig){
		"document_camera_dead":            start(up, safe, free, empty, face, ScannerUp(0, true)),
		"scanner_dead":                    start(up, safe, free, empty, doc, face, ScannerUp(0, false)),
		"document_camera_dead_no_scanner": start(up, safe, free, empty, face),
		"document_camera_lost_with_traveller": during(func(r *rig) {
			r.give(CameraUp(0, DocumentCamera, false))
			r.late()
		}),
		"face_camera_dead":                   start(up, safe, free, empty, doc),
		"models_unusable":                    func(t *testing.T, r *rig) { r.m.o.Policy.NoModels = true; r.open(t) },
		"template_keys_unusable":             func(t *testing.T, r *rig) { r.account["a1"] = withoutTemplate(r.account["a1"]); r.open(t) },
		"turnstile_dead":                     start(safe, free, empty, doc, face),
		"turnstile_lost_with_grant":          during(func(r *rig) { r.pass(); r.flush(nil); r.give(TurnstileUp(0, false)) }),
		"turnstile_not_ready":                ready(func(r *rig) { r.give(TurnstileUp(0, false)) }),
		"lamp_dead":                          untouched, // the lane does not know of lamps: the driver's word goes to the status page
		"emergency_input_unknown":            start(up, free, empty, doc, face),
		"emergency_input_on":                 ready(func(r *rig) { r.give(EmergencyInput(0, On)) }),
		"obstruction_input_unknown":          start(up, safe, empty, doc, face),
		"obstruction_input_stuck_on":         ready(func(r *rig) { r.give(Obstruction(0, On)) }),
		"presence_input_unknown":             start(up, safe, free, doc, face, Presence(0, Unknown)),
		"presence_input_lost_with_traveller": during(func(r *rig) { r.give(Presence(0, Unknown)) }),
		"mains_lost":                         untouched,
		"cabinet_open":                       ready(func(r *rig) { r.give(Fit(0, CauseTamper)) }),
		"journal_broken":                     ready(func(r *rig) { r.give(JournalRoom(0, false)) }),
		"journal_full":                       ready(func(r *rig) { r.give(JournalRoom(0, false)) }),
		"journal_broken_with_traveller":      during(func(r *rig) { r.pass(); r.flush(errDisk) }),
		"evidence_not_kept":                  untouched,
		"accounts_damaged": func(t *testing.T, r *rig) {
			r.account["a1"] = Account{Unusable: true}
			r.open(t)
		},
		"accounts_stale": func(t *testing.T, r *rig) {
			a := r.account["a1"]
			a.Issued = r.wall.Add(-r.m.o.Policy.CacheMaxAge - time.Minute)
			r.account["a1"] = a
			r.open(t)
		},
		"accounts_catching_up": func(t *testing.T, r *rig) { r.catch = true; r.open(t) },
		"watchlist_unreadable": func(t *testing.T, r *rig) { r.blind = true; r.open(t) },
		"trust_lost": func(t *testing.T, r *rig) {
			r.claims["good"] = Claim{Fault: reason.CacheStale, Detail: "trust_missing"}
			r.open(t)
		},
		"policy_lost":       func(t *testing.T, r *rig) { r.m.o.Policy.Lost = true; r.open(t) },
		"headquarters_away": untouched, // no input of the lane: nothing waits for it
		"clock_bad":         func(t *testing.T, r *rig) { r.trust = ClockBad; r.open(t) },
		"clock_unsynchronised": func(t *testing.T, r *rig) {
			r.trust = ClockPlausible
			c := r.claims["good"]
			c.Pass.ValidTo = r.wall.Add(r.m.o.Policy.ClockMargin - time.Hour)
			r.claims["good"] = c
			r.open(t)
		},
		"status_page_port_taken":   untouched,
		"screen_port_taken":        untouched,
		"technician_page_unusable": untouched,
		"service_failing":          untouched,
		"self_test_failed":         start(up, safe, free, empty, doc, face, Fit(0, CauseSelfTest)),
	}
}

func withoutTemplate(a Account) Account {
	a.Reference = nil
	return a
}

// pass has the traveller show a pass that is good.
func (r *rig) pass() { r.give(Symbol(0, r.documents(), r.now, []byte("good"))) }

// TestEachFailureLeavesTheServiceOfTheTable drives every row through the lane,
// sends a good traveller and holds what becomes of him to the row.
func TestEachFailureLeavesTheServiceOfTheTable(t *testing.T) {
	do := failures()
	for _, d := range Degraded() {
		t.Run(d.Code(), func(t *testing.T) {
			bring := do[d.Code()]
			if bring == nil {
				t.Fatal("no test brings this failure about")
			}
			delete(do, d.Code())
			r := newRig(t)
			bring(t, r)
			r.flushAll()
			begun := len(r.watched)
			if d.Service == ServiceClosed {
				if r.m.cause != d.Cause {
					t.Fatalf("cause %q, want %q", r.m.cause, d.Cause)
				}
				if d.Reason != 0 && !endedFor(r, d.Reason) {
					t.Fatalf("ended %+v, want reason %v", r.last(t), d.Reason)
				}
				if d.Device == "presence_input" {
					r.want(t, Ready) // waits for somebody whom it cannot see
					return
				}
				granted := len(r.grants)
				r.good()
				if len(r.watched) != begun || len(r.grants) != granted {
					t.Fatalf("a traveller was begun in %v", r.m.state)
				}
				return
			}
			if strings.HasSuffix(d.Failure, "_with_traveller") && d.Service == ServiceReduced {
				r.wantEnd(t, reason.Referred, d.Reason)
				return
			}
			r.good()
			if d.Service == ServiceOpen {
				r.want(t, Granted)
				return
			}
			if len(r.grants) != 0 || !endedFor(r, d.Reason) || r.last(t).Outcome != reason.Referred {
				t.Fatalf("ended %+v with %d grants, want referred for %v", r.last(t), len(r.grants), d.Reason)
			}
		})
	}
	for code := range do {
		t.Errorf("a failure %s is brought about that the table does not have", code)
	}
}

// good is a traveller whom nothing is wrong with.
func (r *rig) good() {
	r.give(Presence(0, Off), Presence(0, On))
	if r.m.faceCam {
		r.usable(3)
	}
	r.pass()
	if r.m.state != Deciding { // waiting for something that does not come
		r.late()
	}
	r.flushAll()
}

func endedFor(r *rig, why reason.Reason) bool {
	for _, v := range r.views {
		if v.Finished && slices.Contains(v.Reasons, why) {
			return true
		}
	}
	return false
}

// TestDegradedServiceIsDocumented holds docs/degraded.md to the table.
func TestDegradedServiceIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/degraded.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, d := range Degraded() {
		said := d.Cause
		if d.Reason != 0 {
			said = strings.TrimPrefix(said+"; "+d.Reason.String(), "; ")
		}
		if said == "" {
			said = "–"
		}
		want.WriteString("| " + d.Device + " | " + d.Failure + " | " + d.Service.String() + " | " + said + " | " + d.Traveller + " | " + d.Technician + " |\n")
	}
	if !strings.Contains(string(text), want.String()) {
		t.Fatalf("docs/degraded.md does not have the rows of the table; they are:\n%s", want.String())
	}
}
