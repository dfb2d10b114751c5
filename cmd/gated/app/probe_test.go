package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"bordergate/biometrics"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/sync/wire"
)

// traces are the forms in which a probe could be found outside memory: floats
// either way round, the projected bytes, and text. A few values in a row are
// enough to know it by.
func traces(t *testing.T, probe biometrics.Embedding) map[string][]byte {
	t.Helper()
	ref, err := testMatcher().model.Enrol(probe)
	if err != nil {
		t.Fatal(err)
	}
	const from, n = 100, 4
	var le, be []byte
	var text, rounded []string
	for _, v := range probe[from : from+n] {
		le = binary.LittleEndian.AppendUint32(le, math.Float32bits(v))
		be = binary.BigEndian.AppendUint32(be, math.Float32bits(v))
		text = append(text, strconv.FormatFloat(float64(v), 'g', -1, 32))
		rounded = append(rounded, strconv.FormatFloat(float64(v), 'f', 4, 64))
	}
	int8s := ref.Bytes()[40:56]
	return map[string][]byte{
		"float32 LE": le, "float32 BE": be, "int8": int8s, "int8 hex": []byte(hex.EncodeToString(int8s)),
		"one value as text": []byte(text[0]), "text, commas": []byte(strings.Join(text, ",")), "text, spaces": []byte(strings.Join(rounded, " ")),
		"float32 hex": []byte(hex.EncodeToString(le)), "base64 of int8": []byte(wireText(ref.Bytes())),
	}
}

// wireText is bytes as JSON has them, without the ends that depend on what
// stands beside them.
func wireText(b []byte) string {
	text, err := json.Marshal(b)
	if err != nil {
		panic(err)
	}
	return string(text[5 : len(text)-5])
}

// leak names the first form of a probe that is found.
func leak(t *testing.T, where []byte, probe biometrics.Embedding) string {
	t.Helper()
	for form, b := range traces(t, probe) {
		if bytes.Contains(where, b) {
			return form
		}
	}
	return ""
}

// silent plays the parts of a lane that do nothing here.
type silent struct{ grants chan gate.TxID }

func (silent) Watch(uint32) {}
func (silent) Again(uint32) {}
func (silent) Hold()        {}
func (silent) Stop()        {}

func (s silent) Grant(id gate.TxID, _ gate.Direction, _ time.Duration) error {
	s.grants <- id
	return nil
}
func (silent) Revoke(gate.TxID) {}

func (silent) Read([]byte, time.Time) gate.Claim {
	now := time.Now()
	return gate.Claim{Pass: gate.Pass{
		Number: "P1", Type: "border_pass", Account: "A1", Crossings: []string{"HNG1"}, Directions: []gate.Direction{gate.DirExit},
		ValidFrom: now.Add(-day), ValidTo: now.Add(400 * day),
	}}
}

// laneRun is a lane over real files, with everything but its hardware.
type laneRun struct {
	*registerRig
	lane *gate.Lane
	hub  *hub
	eye  *eye
	log  bytes.Buffer
	silent
}

func newLaneRun(t *testing.T, reference biometrics.Reference) *laneRun {
	t.Helper()
	r := &laneRun{registerRig: newRegisterRig(t), hub: newHub(monoNow), silent: silent{grants: make(chan gate.TxID, 4)}}
	r.synced(wire.Change{
		Op: wire.OpPut, Account: "A1", Ver: 1, Status: wire.StatusActive, Level: 2, Kind: wire.KindCitizen, Model: "m", Reference: reference.Bytes(),
	})
	log := slog.New(slog.NewJSONHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.recorder.log = log
	clock := newWallClock(time.Time{})
	clock.read = func() bool { return true }
	var err error
	r.lane, err = gate.NewLane(gate.Options{
		Policy: gate.Policy{
			Crossing: "HNG1", Direction: gate.DirExit, PassTypes: passRules(), CacheMaxAge: 1 << 62, ObserveLiveness: true,
		},
		Times: gate.DefaultTimes(), Passes: r.silent, Accounts: cache{Replica: r.replica, clock: clock, catching: func() bool { return false }},
		Register: r.register, References: references{model: "m", log: log}, Matcher: testMatcher(), Tracker: newFollower(.34), Recorder: r.recorder, Turnstile: r.silent, Eyes: r.silent,
		Screen: r.hub, Clock: clock, Mono: monoNow,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.recorder.monitor = newMonitor("face", log, r.recorder.note)
	r.eye = &eye{monitor: r.recorder.monitor, camera: gate.FaceCamera, model: testMatcher().model, rules: biometrics.ProbeRules(), log: log, post: r.lane.Post}
	return r
}

// walk lets one traveller show his face and his pass, and gives how it ended.
func (r *laneRun) walk(ctx context.Context, session uint32, probes []biometrics.Embedding) string {
	events, end := r.hub.listen()
	defer end()
	r.lane.Post(gate.Presence(monoNow(), gate.On))
	r.lane.Post(gate.Symbol(monoNow(), session, monoNow(), []byte("pass")))
	for _, p := range probes {
		f := sight(0, 500, p)
		f.FrameAt, f.Session = monoNow(), session
		r.eye.tell(f)
	}
	for {
		select {
		case id := <-r.grants:
			r.lane.Post(gate.PassageStarted(monoNow(), id))
			r.lane.Post(gate.Presence(monoNow(), gate.Off))
			r.lane.Post(gate.PassageCompleted(monoNow(), id, gate.DirExit))
		case e := <-events:
			if e.Kind == "transaction" {
				r.lane.Post(gate.Presence(monoNow(), gate.Off))
				return e.Outcome
			}
		case <-ctx.Done():
			return "nothing"
		}
	}
}

// TestProbesNeverLeaveMemory lets the holder pass and somebody else be refused,
// and searches whatever was written and told for their faces.
func TestProbesNeverLeaveMemory(t *testing.T) {
	holder, other, noise := person(1), person(2), person(3)
	ref, err := testMatcher().model.Enrol(holder)
	if err != nil {
		t.Fatal(err)
	}
	r := newLaneRun(t, ref)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	over := make(chan error, 1)
	go func() { over <- r.lane.Serve(ctx) }()
	for _, in := range []gate.Input{
		gate.Start(0), gate.TurnstileUp(0, true), gate.EmergencyInput(0, gate.Off), gate.Obstruction(0, gate.Off), gate.Presence(0, gate.Off),
		gate.CameraUp(0, gate.DocumentCamera, true), gate.CameraUp(0, gate.FaceCamera, true),
	} {
		in.At = monoNow()
		r.lane.Post(in)
	}
	var probes []biometrics.Embedding
	looks := func(p biometrics.Embedding, n int) (out []biometrics.Embedding) {
		for i := range n {
			out = append(out, view(p, noise, .6+.02*float64(i)))
		}
		probes = append(probes, out...)
		return out
	}
	if got := r.walk(ctx, 1, looks(holder, 3)); got != "admitted" {
		t.Fatalf("the holder: %s\n%s", got, &r.log)
	}
	if got := r.walk(ctx, 2, looks(other, 6)); got != "refused" {
		t.Fatalf("the other: %s\n%s", got, &r.log)
	}
	cancel()
	<-over
	r.recorder.note(wire.StreamTelemetry, KindFaceMonitor, r.recorder.monitor.report())
	if err := r.journal.Advance("settled", 1); err != nil { // everything before it is on the disk
		t.Fatal(err)
	}

	told := map[string][]byte{"log": r.log.Bytes(), "files": readAll(t, r.dir)}
	cfg := configs.DefaultGate()
	a := &App{cfg: &cfg, hub: r.hub, clock: newWallClock(time.Time{}), journal: r.journal, vault: r.vault, recorder: r.recorder, replica: r.replica, eyes: eyes{r.eye}}
	c := &control{app: a}
	for name, h := range map[string]http.HandlerFunc{
		"status": func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.Status()) },
		"export": c.export, "stats": c.accountStats, "verify": c.verify,
	} {
		w := httptest.NewRecorder()
		h(w, httptest.NewRequest(http.MethodGet, "/?open=true", http.NoBody))
		told[name] = w.Body.Bytes()
	}
	if !bytes.Contains(told["export"], []byte(KindFaceMonitor)) || !bytes.Contains(told["export"], []byte(`"outcome":"admitted"`)) || !bytes.Contains(told["export"], []byte(`"pass_number":"P1"`)) {
		t.Fatalf("the export is not that of the run: %.400s", told["export"])
	}
	for name, b := range told {
		if len(b) == 0 && name != "log" {
			t.Errorf("%s: nothing to search", name)
		}
		for i, p := range probes {
			if form := leak(t, b, p); form != "" {
				t.Errorf("%s holds probe %d as %s", name, i, form)
			}
		}
	}
}

// TestLeaksAreFound plants each form of a probe: a search that finds nothing
// proves nothing otherwise.
func TestLeaksAreFound(t *testing.T) {
	p := person(5)
	for form, b := range traces(t, p) {
		if got := leak(t, fmt.Appendf(nil, "before %s after", b), p); got == "" {
			t.Errorf("%s is not found", form)
		}
		if leak(t, b, person(6)) != "" {
			t.Errorf("%s is taken for another's", form)
		}
	}
	whole := fmt.Sprintf("%v", []float32(p))
	if leak(t, []byte(whole), p) == "" {
		t.Error("a probe in a log line is not found")
	}
}
