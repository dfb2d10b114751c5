package gate

import (
	"fmt"
	"slices"
	"testing"

	"bordergate/gate/reason"

	"pgregory.net/rapid"
)

// atCamera brings somebody before the cameras, his pass read and not enough of
// his face.
func atCamera(t *testing.T) *rig {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.see(1, 2)
	r.want(t, Matching)
	return r
}

func TestAnotherFaceStartsMatchingAnew(t *testing.T) {
	r := atCamera(t)
	first := r.m.tx.faces[0].Embedding
	r.see(2, 1)
	r.want(t, Matching)
	if len(r.m.tx.faces) != 1 || first[0] != 0 {
		t.Fatalf("%d faces kept, the first one's probe is %v", len(r.m.tx.faces), first)
	}
	if len(r.looks) != 1 || r.looks[0] == r.documents() {
		t.Errorf("the camera's worker was told to begin again as %v", r.looks)
	}
	r.see(2, 2)
	r.flush(nil)
	r.want(t, Granted)
	if mixed(r.matched) || len(r.matched) != 3 {
		t.Errorf("matched on %v", r.matched)
	}
	if got := r.entries[0].Public.Restarts; got != 1 {
		t.Errorf("%d restarts on record, want 1", got)
	}
}

func TestASecondSwapRefers(t *testing.T) {
	r := atCamera(t)
	r.see(2, 1)
	r.see(1, 1)
	r.flush(nil)
	r.wantEnd(t, reason.Referred, reason.FaceMany)
	if len(r.grants) != 0 {
		t.Error("granted")
	}
}

func TestASecondPersonStartsMatchingAnew(t *testing.T) {
	r := atCamera(t)
	r.give(FaceSeen(0, r.m.session, Face{Count: 2, Box: [4]float32{1}}))
	if n := len(r.m.tx.faces); n != 0 {
		t.Fatalf("%d faces are kept", n)
	}
	r.late()
	r.flush(nil)
	r.wantEnd(t, reason.Referred, reason.FaceMany)
}

func TestWhoHasGoneIsNotMatched(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.see(1, 5)
	r.gone = true
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.want(t, Matching)
	r.late()
	r.flush(nil)
	r.wantEnd(t, reason.Referred, reason.FaceNone)
}

func TestNoGrantForAnotherThanWhoMatched(t *testing.T) {
	cases := map[string]struct {
		do   func(r *rig)
		want reason.Reason
	}{
		"another face":    {func(r *rig) { r.see(2, 1) }, reason.FaceMany},
		"and back":        {func(r *rig) { r.see(2, 1); r.see(1, 1) }, reason.FaceMany},
		"a second person": {func(r *rig) { r.give(FaceSeen(0, r.m.session, Face{Count: 2, Box: [4]float32{1}})) }, reason.FaceMany},
		"nobody":          {func(r *rig) { r.gone = true }, reason.FaceNone},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := atCamera(t)
			r.see(1, 1)
			r.want(t, Deciding)
			c.do(r)
			r.flush(nil)
			r.wantEnd(t, reason.Referred, c.want)
			if len(r.grants) != 0 {
				t.Error("granted")
			}
		})
	}
}

func TestGrantIsTakenBackFromAnother(t *testing.T) {
	r := newRig(t)
	id := r.granted(t)
	r.see(2, 1)
	r.see(1, 1)
	r.see(2, 1)
	r.want(t, Granted) // one frame is not enough to shut the gate on him
	r.see(2, 1)
	r.want(t, ReferredAway)
	if !slices.Contains(r.revoked, id) {
		t.Error("the grant was not taken back")
	}
	r.wantEnd(t, reason.Referred, reason.FaceMany)
	last := r.entries[len(r.entries)-1]
	if last.Kind != EntryOutcome || !last.Public.Revoked || !last.Public.Granted {
		t.Errorf("on record: %+v", last.Public)
	}
}

func TestTurningToWalkKeepsTheGrant(t *testing.T) {
	r := newRig(t)
	id := r.granted(t)
	r.gone = true
	for range 5 {
		r.give(FaceSeen(0, r.m.session, Face{}))
	}
	r.want(t, Granted)
	r.give(PassageStarted(0, id), PassageCompleted(0, id, DirExit))
	r.wantEnd(t, reason.Admitted)
}

// TestNoProbeOutlivesItsTraveller holds that every embedding is zeroed, kept or
// not, when the transaction is over.
func TestNoProbeOutlivesItsTraveller(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	var probes [][]float32
	show := func(who float32, session uint32) {
		p := []float32{who, 1, 2, 3}
		probes = append(probes, p)
		r.give(FaceSeen(0, session, Face{FrameAt: r.now, Count: 1, Usable: true, Box: [4]float32{who}, Embedding: p}))
	}
	show(1, r.m.session)
	show(2, r.m.session)
	show(2, r.m.session+7) // of another session
	for range maxFaces + 3 {
		show(2, r.m.session)
	}
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	show(2, r.m.session)
	r.flush(nil)
	r.want(t, Granted)
	show(2, r.m.session)
	kept := 0
	for _, p := range probes {
		if p[1] != 0 {
			kept++
		}
	}
	if kept != maxFaces {
		t.Errorf("%d probes are kept during the transaction, want %d", kept, maxFaces)
	}
	id := r.m.tx.id
	r.give(PassageStarted(0, id), Presence(0, Off), PassageCompleted(0, id, DirExit))
	show(2, r.m.session)
	for i, p := range probes {
		if slices.ContainsFunc(p, func(v float32) bool { return v != 0 }) {
			t.Fatalf("probe %d outlives its traveller: %v", i, p)
		}
	}
}

// twoFaces says what is wrong with the faces behind a grant that was just sent,
// or nothing.
func (r *rig) twoFaces() string {
	switch n := len(r.shown); {
	case len(r.matched) == 0 || mixed(r.matched):
		return fmt.Sprintf("granted on the faces of more than one person, or of none: %v", r.matched)
	case n == 0 || r.shown[n-1] != r.matched[0].Box[0]:
		return fmt.Sprintf("granted to %v, seen were %v", r.matched[0].Box[0], r.shown)
	case r.gone:
		return "granted to nobody"
	default:
		return ""
	}
}

func mixed(faces []Face) bool {
	return slices.ContainsFunc(faces, func(f Face) bool { return f.Box[0] != faces[0].Box[0] || f.Embedding[0] != f.Box[0] })
}

// TestNeverAdmitsTwoFaces lets two persons and more stand before the camera in
// turns while a good pass is read, recorded and granted.
func TestNeverAdmitsTwoFaces(t *testing.T) {
	var grants, taken int
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(t)
		r.m.o.Policy.Passback = 0
		r.give(Start(0), TurnstileUp(0, true), EmergencyInput(0, Off), Obstruction(0, Off), Presence(0, Off),
			CameraUp(0, DocumentCamera, true), CameraUp(0, FaceCamera, true), Presence(0, On))
		checked := 0
		r.passes["P1"] = PassState{Stamped: r.wall}
		acts := []func(){
			func() {
				r.see(float32(rapid.SampledFrom([]int{1, 1, 1, 1, 2, 3}).Draw(t, "who")), rapid.IntRange(1, 3).Draw(t, "faces"))
			},
			func() {
				r.see(1, 3)
				r.give(Symbol(0, r.documents(), r.now, []byte("good")))
			},
			func() { r.give(Symbol(0, r.documents(), r.now, []byte("good"))) },
			func() { r.flush(nil) },
			func() { r.give(FaceSeen(0, r.m.session, Face{Count: 2, Box: [4]float32{1}})) },
			func() { r.gone = rapid.IntRange(0, 3).Draw(t, "gone") == 0 },
			func() { r.give(AccountChanged(0, "")) },
			func() {
				if tx := r.m.tx; tx != nil && rapid.Bool().Draw(t, "passes") {
					r.give(PassageStarted(0, tx.id), PassageCompleted(0, tx.id, DirExit))
				}
			},
			func() {
				r.passes["P1"] = PassState{Stamped: r.wall}
				r.give(Presence(0, Off), Presence(0, On))
			},
		}
		for range rapid.IntRange(5, 200).Draw(t, "steps") {
			acts[rapid.IntRange(0, len(acts)-1).Draw(t, "act")]()
			for ; checked < len(r.grants); checked++ {
				if s := r.twoFaces(); s != "" {
					t.Fatal(s)
				}
				grants++
			}
			if n := len(r.shown); r.m.state == Granted && n > 1 && r.shown[n-1] != r.who && r.shown[n-2] != r.who {
				t.Fatalf("the grant for %v stands while another does: %v", r.who, r.shown)
			}
		}
		taken += len(r.revoked)
	})
	t.Logf("%d grants, %d taken back", grants, taken)
	if grants == 0 || taken == 0 {
		t.Errorf("%d grants and %d taken back: the rules were not put to the test", grants, taken)
	}
}

func TestHintIsShownWhenItChanges(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	poor := Face{Count: 1, Hint: "closer", Box: [4]float32{1}}
	r.give(FaceSeen(0, r.m.session, poor))
	if v := r.views[len(r.views)-1]; v.Hint != "closer" || v.State != Reading {
		t.Fatalf("shown: %v %q", v.State, v.Hint)
	}
	n := len(r.views)
	r.give(FaceSeen(0, r.m.session, poor))
	if len(r.views) != n {
		t.Error("the same hint is shown twice")
	}
	r.see(1, 3)
	if v := r.views[len(r.views)-1]; v.Hint != "" {
		t.Errorf("%q is still shown", v.Hint)
	}
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flush(nil)
	if c := r.entries[0].Public.Faces; c == nil || *c != (FaceCount{Frames: 5, Poor: 2, Usable: 3}) {
		t.Errorf("faces on record: %+v", c)
	}
}

func TestFirstFaceAndFirstUsableAreSteps(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	begun := r.now
	frame := func(f Face) map[string]int64 {
		f.FrameAt = r.now * 1_000_000
		r.give(FaceSeen(0, r.m.session, f))
		return r.m.tx.steps
	}
	for _, f := range []Face{{Count: 0, Usable: true}, {Count: 2, Usable: true}, {Count: 1}, {Count: 1, Usable: true, Box: [4]float32{1}, Embedding: []float32{1}}} {
		steps := frame(f)
		if _, ok := steps[StepFirstFace]; ok != (f.Count > 0 || r.m.tx.total.Frames > 1) {
			t.Errorf("after %+v the first face was seen: %v", f, ok)
		}
		if _, ok := steps[StepFirstUsable]; ok != (f.Count == 1 && f.Usable) {
			t.Errorf("after %+v the first usable one was: %v", f, ok)
		}
	}
	if at := r.m.tx.steps[StepFirstFace]; at != ((begun+1)*1_000_000-begun)/1000 {
		t.Errorf("the first face was seen at %d, not in its frame", at)
	}
}
