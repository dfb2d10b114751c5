package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bordergate/sync/wire"
)

// desk is a console with everything around it made up.
type desk struct {
	t *testing.T
	*Console
	log   *memory
	hq    *office
	peers int // addresses given out
}

// memory is a log that can fail.
type memory struct {
	mu     sync.Mutex
	list   []Entry
	take   func(Entry)
	broken error
}

func (m *memory) Append(_ context.Context, e Entry, may func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	if may != nil {
		if err := may(); err != nil {
			return err
		}
	}
	e.Seq = uint64(len(m.list)) + 1
	m.list = append(m.list, e)
	m.take(e)
	return nil
}

func (m *memory) Tail(_ context.Context, _ uint64, n int) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.Clone(m.list)
	slices.Reverse(out)
	return out[:min(n, len(out))], nil
}

// did lists what was done since the accounts were made.
func (m *memory) did(who string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, e := range m.list {
		if e.Who == who {
			out = append(out, strings.TrimSpace(e.Do+" "+e.On))
		}
	}
	return out
}

// office is a headquarters of one lane.
type office struct {
	mu     sync.Mutex
	asked  []string // what was shown or ordered
	plain  map[uint64][]byte
	act    wire.Act
	result Result
	hold   chan struct{} // where not nil, an act waits for it
	began  chan struct{}
}

func (o *office) note(s string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, s)
}

func (o *office) Lanes() []Lane {
	return []Lane{{Gate: "lane-1", Up: true, State: "ready"}, {Gate: "lane-2", State: "closed"}}
}

func (o *office) Open(_ context.Context, ref Ref) ([]byte, error) {
	o.note(fmt.Sprintf("open %d", ref.At))
	if b, ok := o.plain[ref.At]; ok {
		return b, nil
	}
	return nil, errors.New("sealed")
}

func (o *office) History(_ context.Context, account, _ string, _ time.Time) ([]Crossing, error) {
	o.note("history " + account)
	return []Crossing{{Gate: "lane-1", Outcome: "admitted"}}, nil
}

func (o *office) Portrait(_ context.Context, account string) ([]byte, error) {
	o.note("portrait " + account)
	return nil, nil
}

func (o *office) Mode(_ context.Context, gate, mode, by string) (Result, error) {
	o.note("mode " + gate + " " + mode + " " + by)
	if gate == "lane-2" {
		return Result{}, errors.New("lane-2 is not connected")
	}
	return Result{Done: true}, nil
}

func (o *office) Nonce(_ context.Context, gate, _ string) (string, error) {
	o.note("nonce " + gate)
	return strings.Repeat("ab", 16), nil
}

func (o *office) Verify(_ context.Context, _, officer string, signed []byte) (wire.Act, error) {
	if string(signed) != "signed by "+officer {
		return wire.Act{}, errors.New("another's key")
	}
	return o.act, nil
}

func (o *office) Act(_ context.Context, gate string, _ []byte, by string) (Result, error) {
	o.note("act " + gate + " " + by)
	if o.hold != nil {
		o.began <- struct{}{}
		<-o.hold
	}
	return o.result, nil
}

func (o *office) Stamp(_ context.Context, pass, by string) error {
	o.note("stamp " + pass + " " + by)
	return nil
}

const goodPassword = "correct horse battery"

// goodHash is made once: it is meant to take its time.
var goodHash = sync.OnceValue(func() string {
	h, err := hashPassword(goodPassword)
	if err != nil {
		panic(err)
	}
	return h
})

func newDesk(t *testing.T, change ...func(*Options)) *desk {
	t.Helper()
	d := &desk{t: t, log: &memory{}, hq: &office{plain: map[uint64][]byte{}, result: Result{Done: true}, act: wire.Act{Do: wire.ActOverride, Tx: tx1, Reason: "identity_checked"}}}
	d.reopen(change...)
	for _, r := range Roles() {
		u := User{Name: string(r), Person: "The " + string(r), Role: r, Hash: goodHash(), Officer: "o-" + string(r)}
		if err := d.note(t.Context(), Entry{Who: "test", Do: DidUser, User: &u}, nil); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// reopen is headquarters started again.
func (d *desk) reopen(change ...func(*Options)) {
	d.t.Helper()
	o := Options{
		Station: "Test", Archive: d.hq, Orders: d.hq,
		OpenLog: func(_ context.Context, take func(Entry)) (Log, error) {
			d.log.take = take
			for _, e := range d.log.list {
				take(e)
			}
			return d.log, nil
		},
	}
	for _, c := range change {
		c(&o)
	}
	c, err := New(d.t.Context(), o)
	if err != nil {
		d.t.Fatal(err)
	}
	d.Console = c
}

const (
	origin = "http://127.0.0.1:8444"
	tx1    = "01000000000000000000000000000000"
	exc1   = "lane-1." + tx1
)

// officer is a browser with a session.
type officer struct {
	d      *desk
	cookie *http.Cookie
	csrf   string
	from   string
}

// ask is one request of a browser.
func (o *officer) ask(method, path, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	o.d.t.Helper()
	r := httptest.NewRequestWithContext(o.d.t.Context(), method, origin+path, strings.NewReader(body))
	r.RemoteAddr = o.from + ":4000"
	if method != http.MethodGet {
		r.Header.Set("Origin", origin)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Csrf-Token", o.csrf)
	}
	if o.cookie != nil {
		r.AddCookie(o.cookie)
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	o.d.ServeHTTP(w, r)
	return w
}

// browser is one without a session, from an address of its own.
func (d *desk) browser() *officer {
	d.peers++
	return &officer{d: d, from: fmt.Sprintf("192.0.2.%d", d.peers)}
}

// login signs in as whoever has the name.
func (d *desk) login(name string) *officer {
	d.t.Helper()
	o := d.browser()
	w := o.ask("POST", "/api/login", fmt.Sprintf(`{"name":%q,"password":%q}`, name, goodPassword))
	if w.Code != http.StatusOK || len(w.Result().Cookies()) != 1 {
		d.t.Fatalf("log-in of %s: %d %s", name, w.Code, w.Body)
	}
	o.cookie = w.Result().Cookies()[0]
	o.csrf = csrfOf(o.cookie.Value)
	return o
}

// refer has lane-1 refer a traveller of the transaction 01…, with a picture.
func (d *desk) refer(reasons ...string) {
	d.t.Helper()
	d.hq.plain[1] = []byte(`{"pass_number":"P-7","account":"A-7","pass_type":"border_pass"}`)
	d.hq.plain[2] = []byte("\xff\xd8\xff picture")
	if len(reasons) == 0 {
		reasons = []string{"face_mismatch", "pass_stamp_due"}
	}
	d.record(wire.StreamCrossing, kindDecision, 1, map[string]any{"outcome": "referred", "reasons": reasons, "score": 0.31, "threshold": 0.42}, true)
	d.record(wire.StreamImage, kindStill, 2, map[string]any{"for": "decision"}, true)
}

// record gives the board a record of the transaction 01….
func (d *desk) record(s wire.Stream, kind string, at uint64, public any, sealed bool) {
	d.t.Helper()
	b, err := json.Marshal(public)
	if err != nil {
		d.t.Fatal(err)
	}
	r := wire.Record{Gate: "lane-1", Epoch: 1, Stream: s, Seq: at, Kind: kind, Public: b, Tx: [16]byte{1}, Wall: d.o.Now().UnixNano()}
	if sealed {
		r.Sealed = []byte("sealed")
	}
	d.Take(r, Ref{At: at, Gate: "lane-1", Epoch: 1, Seq: at})
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if err := json.NewDecoder(bytes.NewReader(w.Body.Bytes())).Decode(&v); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return v
}

// pass has the bubble's clock go on.
func pass(d time.Duration) { <-time.After(d) }
