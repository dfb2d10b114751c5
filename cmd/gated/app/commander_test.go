package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// memory is a journal's facts and blobs.
type memory struct {
	facts map[string]uint64
	blobs map[string][]byte
	fail  error
}

func newMemory() *memory { return &memory{facts: map[string]uint64{}, blobs: map[string][]byte{}} }

func (m *memory) Fact(name string) uint64 { return m.facts[name] }

func (m *memory) Advance(name string, v uint64) error {
	if m.fail == nil {
		m.facts[name] = max(m.facts[name], v)
	}
	return m.fail
}

func (m *memory) Blob(name string) ([]byte, error) { return m.blobs[name], m.fail }

func (m *memory) PutBlob(name string, v []byte) error {
	if m.fail == nil {
		m.blobs[name] = v
	}
	return m.fail
}

// commandRig is a commander whose orders only leave a trace.
type commandRig struct {
	*commander
	t       *testing.T
	store   *memory
	ran     []string
	answers []wire.Result
	counts  map[string]int
	notes   int
	err     error // of the next order
}

func newCommandRig(t *testing.T, m *memory) *commandRig {
	t.Helper()
	c, err := openCommander(m, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &commandRig{commander: c, t: t, store: m, counts: map[string]int{}}
	c.answer = func(w wire.Result) {
		if err := w.Check(); err != nil {
			t.Errorf("answered %+v: %v", w, err)
		}
		r.answers = append(r.answers, w)
	}
	c.count = func(cause string) { r.counts[cause]++ }
	c.note = func(string, any) { r.notes++ }
	c.do = map[string]func(context.Context, link.Order) (done, error){}
	for _, do := range wire.Dos() {
		c.do[do] = func(_ context.Context, o link.Order) (done, error) {
			r.ran = append(r.ran, o.Do)
			return done{restart: o.Do == wire.DoRestart}, r.err
		}
	}
	return r
}

func ordered(seq uint64, do string) link.Order {
	return link.Order{Seq: seq, Command: wire.Command{ID: fmt.Sprintf("%032x", seq), Do: do}}
}

func (r *commandRig) give(orders ...link.Order) {
	r.t.Helper()
	for _, o := range orders {
		if err := r.handle(r.t.Context(), o); err != nil {
			r.t.Fatal(err)
		}
	}
}

// outcomes are what was answered so far, a letter each.
func (r *commandRig) outcomes() string {
	var out strings.Builder
	for _, a := range r.answers {
		out.WriteByte(a.Outcome[2]) // e is executed, f refused, p expired
	}
	return out.String()
}

func TestEachCommandIsCarriedOutOnce(t *testing.T) {
	late := ordered(6, wire.DoClock)
	late.Late = "its time is over"
	for name, tc := range map[string]struct {
		orders   []link.Order
		ran      int
		outcomes string
		cause    string
	}{
		"one":             {[]link.Order{ordered(5, wire.DoClock)}, 1, "e", ""},
		"delivered twice": {[]link.Order{ordered(5, wire.DoClock), ordered(5, wire.DoClock)}, 1, "ee", link.CauseCommandReplayed},
		"one after another": {
			[]link.Order{ordered(5, wire.DoClock), ordered(6, wire.DoResync)}, 2, "ee", "",
		},
		"out of order": {
			[]link.Order{ordered(6, wire.DoClock), ordered(5, wire.DoResync)}, 1, "ef", link.CauseCommandReplayed,
		},
		"one number for two": {
			[]link.Order{ordered(5, wire.DoClock), {Seq: 5, Command: wire.Command{ID: testID, Do: wire.DoResync}}}, 1, "ef", link.CauseCommandReplayed,
		},
		"expired":           {[]link.Order{late}, 0, "p", link.CauseCommandExpired},
		"expired, again":    {[]link.Order{late, late}, 0, "pp", link.CauseCommandReplayed},
		"expired, then new": {[]link.Order{late, ordered(7, wire.DoClock)}, 1, "pe", link.CauseCommandExpired},
	} {
		t.Run(name, func(t *testing.T) {
			r := newCommandRig(t, newMemory())
			r.give(tc.orders...)
			if len(r.ran) != tc.ran || r.outcomes() != tc.outcomes || tc.cause != "" && r.counts[tc.cause] != 1 {
				t.Fatalf("ran %v, answered %q, counted %v", r.ran, r.outcomes(), r.counts)
			}
			if newest := r.answers[len(r.answers)-1].Newest; newest != r.store.facts[factCommand] || newest == 0 {
				t.Fatalf("says that %d is the newest, the journal has %d", newest, r.store.facts[factCommand])
			}
		})
	}
}

const testID = "00112233445566778899aabbccddeeff"

func TestReplayAfterARestartIsRefused(t *testing.T) {
	m := newMemory()
	newCommandRig(t, m).give(ordered(5, wire.DoClock))
	r := newCommandRig(t, m)
	r.give(ordered(5, wire.DoClock), ordered(4, wire.DoClock), ordered(6, wire.DoClock))
	if len(r.ran) != 1 || r.outcomes() != "ffe" {
		t.Fatalf("ran %v, answered %q", r.ran, r.outcomes())
	}
}

func TestCommandThatCannotBeRememberedIsNotCarriedOut(t *testing.T) {
	r := newCommandRig(t, newMemory())
	r.store.fail = errors.New("disk full")
	r.give(ordered(5, wire.DoMode), ordered(6, wire.DoDiagnostics))
	if !slices.Equal(r.ran, []string{wire.DoDiagnostics}) || r.outcomes() != "fe" {
		t.Fatalf("ran %v, answered %q", r.ran, r.outcomes())
	}
}

func TestRefusalIsAnsweredCountedAndRecorded(t *testing.T) {
	r := newCommandRig(t, newMemory())
	r.err = errors.New(strings.Repeat("no ", wire.MaxWhy))
	r.give(ordered(5, wire.DoResync))
	if r.outcomes() != "f" || r.counts[link.CauseCommandRefused] != 1 || r.notes != 1 {
		t.Fatalf("answered %+v, counted %v, %d records", r.answers, r.counts, r.notes)
	}
}

func TestTooManyCommandsAreRefusedAtOnce(t *testing.T) {
	r := newCommandRig(t, newMemory())
	for seq := range uint64(maxOrders + 2) {
		r.take(ordered(seq+1, wire.DoClock))
	}
	if r.outcomes() != "ff" || len(r.ran) != 0 {
		t.Fatalf("answered %q", r.outcomes())
	}
}

// TestRestartIsExecutedOnceTheGateIsBack: the gate ends, and says so itself
// when it is there again.
func TestRestartIsExecutedOnceTheGateIsBack(t *testing.T) {
	m := newMemory()
	r := newCommandRig(t, m)
	if err := r.handle(t.Context(), ordered(5, wire.DoRestart)); !errors.Is(err, ErrRestart) || len(r.answers) != 0 || r.notes != 1 {
		t.Fatalf("%v, answered %q", err, r.outcomes())
	}
	r = newCommandRig(t, m)
	ctx, cancel := context.WithCancel(t.Context())
	answer := r.answer
	r.answer = func(w wire.Result) { answer(w); cancel() }
	r.repeat() // the way to headquarters opens
	if err := r.serve(ctx); !errors.Is(err, context.Canceled) || r.outcomes() != "e" || r.answers[0].Do != wire.DoRestart {
		t.Fatalf("%v, answered %+v", err, r.answers)
	}
	if r = newCommandRig(t, m); len(r.recent) != 0 {
		t.Fatal("a restart is reported at each start")
	}
}

func TestUnreadableOrdersAreAFault(t *testing.T) {
	m := newMemory()
	m.blobs[blobCommands] = []byte("{")
	if _, err := openCommander(m, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("a closure may have stood there")
	}
}

// FuzzCommander: whatever comes in whatever order, no number is taken twice and
// none after a later one.
func FuzzCommander(f *testing.F) {
	f.Add([]byte{1, 2, 2, 1, 200, 3})
	f.Fuzz(func(t *testing.T, in []byte) {
		m := newMemory()
		r := newCommandRig(t, m)
		var last uint64
		for i, b := range in[:min(len(in), 200)] {
			if b >= 250 {
				r = newCommandRig(t, m) // started again
				continue
			}
			o := ordered(uint64(b)+1, wire.DoClock)
			if i%3 == 0 {
				o.ID = fmt.Sprintf("%032x", i)
			}
			before := len(r.ran)
			r.give(o)
			if len(r.ran) > before {
				if o.Seq <= last {
					t.Fatalf("number %d was carried out after %d", o.Seq, last)
				}
				last = o.Seq
			}
		}
	})
}
