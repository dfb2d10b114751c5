package app

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"bordergate/cmd/hqd/console"
	"bordergate/sync/journal"
	"bordergate/sync/link"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

const testPassword = "correct horse battery"

// consoleRig is a headquarters with a console, and a gate that answers it.
type consoleRig struct {
	*hqRig
	gate *gateRig
	http *http.Client
	csrf string
	tx   [16]byte
}

func newConsole(t *testing.T) *consoleRig {
	t.Helper()
	h := newHQ(t)
	h.console = ConsoleOptions{Listen: "127.0.0.1:0", Station: "Test"}
	h.start()
	c := &consoleRig{hqRig: h, tx: [16]byte{1}}
	for _, role := range console.Roles() {
		if _, err := ask[[]console.Account](t, h, "POST", "/console/users", UserOrder{
			Do: "add", By: "test", Name: string(role), Person: "The " + string(role), Role: role, Officer: "o-17", Password: testPassword,
		}); err != nil {
			t.Fatal(err)
		}
	}
	c.login("operator")
	return c
}

func (c *consoleRig) login(name string) {
	c.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.http = &http.Client{Jar: jar}
	c.ask("POST", "/api/login", map[string]string{"name": name, "password": testPassword}, http.StatusOK, nil)
	var me struct{ CSRF string }
	c.ask("GET", "/api/me", nil, http.StatusOK, &me)
	c.csrf = me.CSRF
}

// ask is a request of the page; into may be nil.
func (c *consoleRig) ask(method, path string, body any, want int, into any) []byte {
	c.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.app.ConsoleAddress()+path, bytes.NewReader(b))
	if err != nil {
		c.t.Fatal(err)
	}
	if method == "POST" {
		r.Header.Set("Origin", c.app.ConsoleAddress())
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Csrf-Token", c.csrf)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out lines
	if _, err := (&out).ReadFrom(resp.Body); err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != want {
		c.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, out.b)
	}
	if into != nil {
		if err := json.Unmarshal(out.b, into); err != nil {
			c.t.Fatalf("%s %s: %s", method, path, out.b)
		}
	}
	return out.b
}

// ReadFrom keeps what r gives.
func (l *lines) ReadFrom(r interface{ Read([]byte) (int, error) }) (int64, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(r)
	l.b = append(l.b, b.Bytes()...)
	return n, err
}

// refer has the gate refer a traveller, with a picture, and returns when the
// console shows both.
func (c *consoleRig) refer() string {
	c.t.Helper()
	for _, d := range []journal.Draft{
		{
			Stream: wire.StreamCrossing, Kind: "decision", Class: vault.ClassCrossing, Tx: c.tx, Wall: time.Now().UnixNano(),
			Public:   map[string]any{"outcome": "referred", "reasons": []string{"face_mismatch"}, "score": 0.3, "threshold": 0.4},
			Personal: []byte(`{"pass_number":"P-7","account":"A-7"}`),
		},
		{
			Stream: wire.StreamImage, Kind: "still", Class: vault.ClassImage, Tx: c.tx, Wall: time.Now().UnixNano(),
			Public: map[string]any{"for": "decision"}, Personal: []byte("\xff\xd8\xff a face"),
		},
	} {
		if _, err := c.gate.out.Append(c.t.Context(), d); err != nil {
			c.t.Fatal(err)
		}
	}
	c.gate.link.Notify()
	id := "lane-1." + hex.EncodeToString(c.tx[:])
	limit := time.Now().Add(patience)
	for {
		var b struct{ Exceptions []console.Exception }
		c.ask("GET", "/api/board", nil, http.StatusOK, &b)
		if len(b.Exceptions) == 1 && b.Exceptions[0].ID == id && b.Exceptions[0].Photo && b.Exceptions[0].Person {
			return id
		}
		if time.Now().After(limit) {
			c.t.Fatalf("waited in vain for the exception: %+v", b)
		}
	}
}

// TestConsoleSeesAndActs goes the whole way: a gate's record and picture, over
// the store, to the page; the officer's own act back to the gate; the log of it,
// which outlasts a restart, as the session does.
func TestConsoleSeesAndActs(t *testing.T) {
	c := newConsole(t)
	c.gate = newGate(t, c.hqRig, "lane-1")
	nonce := strings.Repeat("ab", 16)
	acts := make(chan []byte, 4)
	c.gate.onCommand = func(o link.Order) {
		r := wire.Result{ID: o.ID, Do: o.Do, Outcome: wire.OutcomeExecuted, At: time.Now().UnixNano(), Newest: o.Seq}
		switch o.Do {
		case wire.DoNonce:
			r.Nonce = nonce
		case wire.DoAct:
			acts <- o.Act
		}
		c.gate.link.Answer(r)
	}
	c.gate.start(c.hqRig)
	c.gate.heard(1)
	id := c.refer()

	var look console.Look
	c.ask("GET", "/api/exceptions/"+id, nil, http.StatusOK, &look)
	if look.Pass != "P-7" || look.Account != "A-7" || len(look.History) != 1 || look.Incomplete != "" {
		t.Fatalf("%+v", look)
	}
	if b := c.ask("GET", "/api/exceptions/"+id+"/photo/live", nil, http.StatusOK, nil); string(b) != "\xff\xd8\xff a face" {
		t.Fatalf("picture %q", b)
	}

	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signed := c.sign(key, wire.Act{Do: wire.ActOverride, Tx: hex.EncodeToString(c.tx[:]), Nonce: nonce, Reason: "identity_checked"})
	admit := map[string]any{"reason": "identity_checked", "act": signed}
	c.ask("POST", "/api/exceptions/"+id+"/admit", admit, http.StatusForbidden, nil) // not certified
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask[OfficerReport](t, c.hqRig, "POST", "/officers", OfficerOrder{
		By: "test", ID: "o-17", Key: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), Acts: []string{wire.ActOverride},
		Crossings: []string{"*"}, NotAfter: time.Now().Add(time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
	var got struct{ Nonce string }
	if c.ask("POST", "/api/lanes/lane-1/nonce", struct{}{}, http.StatusOK, &got); got.Nonce != nonce {
		t.Fatalf("nonce %q", got.Nonce)
	}
	var done console.Result
	if c.ask("POST", "/api/exceptions/"+id+"/admit", admit, http.StatusOK, &done); !done.Done || !bytes.Equal(<-acts, signed) {
		t.Fatalf("%+v", done)
	}
	c.ask("POST", "/api/exceptions/"+id+"/answer", map[string]string{"do": "refer", "reason": "office"}, http.StatusConflict, nil)

	c.stop()
	address := c.app.desk.ln.Addr().String()
	c.console.Listen = address
	c.start()
	var b struct{ Exceptions []console.Exception }
	for limit := time.Now().Add(patience); len(b.Exceptions) == 0 && time.Now().Before(limit); {
		c.ask("GET", "/api/board", nil, http.StatusOK, &b) // the session is as it was
	}
	if len(b.Exceptions) != 1 || b.Exceptions[0].Answer == nil || b.Exceptions[0].Answer.By != "operator" {
		t.Fatalf("after a restart: %+v", b.Exceptions)
	}
	log, err := ask[[]console.Entry](t, c.hqRig, "GET", "/console/log", nil)
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, e := range log {
		if e.Who == "operator" {
			did = append(did, e.Do)
		}
	}
	if want := "answer admit_sent photo look_up login"; strings.Join(did, " ") != want {
		t.Fatalf("log %v, want %s", did, want)
	}
	walkFiles(t, c.dir, func(path string, b []byte) {
		if bytes.Contains(b, []byte("P-7")) || bytes.Contains(b, []byte("identity_checked")) || bytes.Contains(b, []byte("The operator")) {
			t.Errorf("%s holds it in clear", path)
		}
	})
}

func (c *consoleRig) sign(key ed25519.PrivateKey, act wire.Act) []byte {
	c.t.Helper()
	sum := sha256.Sum256(key.Public().(ed25519.PublicKey))
	signed, err := wire.SignJSON(wire.Signer{Kid: "officer-" + hex.EncodeToString(sum[:8]), Role: wire.RoleOfficer, Key: key},
		wire.Header{Typ: wire.TypeAct, Ver: 1, To: "lane-1"}, act)
	if err != nil {
		c.t.Fatal(err)
	}
	return signed
}

// TestLogTakesNothingForeign: a message that is not the log's next entry, or
// was taken from another place in it, ends headquarters' start.
func TestLogTakesNothingForeign(t *testing.T) {
	c := newConsole(t)
	first, err := c.app.desk.log.stream.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	m := nats.NewMsg(subjectAudit)
	m.Data = first.Data // an entry said again
	if _, err := c.app.store.js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := c.app.desk.log.follow(t.Context()); !errors.Is(err, ErrAudit) {
		t.Fatalf("%v", err)
	}
	if _, err := ask[[]console.Account](t, c.hqRig, "POST", "/console/users", UserOrder{Do: "remove", By: "test", Name: "auditor"}); err == nil {
		t.Fatal("written after what is not the log's")
	}
}

// TestLogIsOne: of two who write at one moment each stands in a place of its
// own, and a condition is asked at that place.
func TestLogIsOne(t *testing.T) {
	c := newConsole(t)
	log := c.app.desk.log
	other := &audit{js: log.js, stream: log.stream, aead: log.aead, take: func(console.Entry) {}}
	if err := other.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := 0
	log.take = func(e console.Entry) {
		if e.On == "x" {
			seen++
		}
	}
	if err := other.Append(t.Context(), console.Entry{Who: "b", Do: console.DidAnswer, On: "x", At: time.Now()}, nil); err != nil {
		t.Fatal(err)
	}
	taken := errors.New("taken")
	err := log.Append(t.Context(), console.Entry{Who: "a", Do: console.DidAnswer, On: "x", At: time.Now()}, func() error {
		if seen > 0 {
			return taken
		}
		return nil
	})
	if !errors.Is(err, taken) || seen != 1 {
		t.Fatalf("%v, seen %d", err, seen)
	}
}

func TestWithoutAConsoleThereIsNone(t *testing.T) {
	h := newHQ(t)
	h.start()
	if _, err := ask[[]console.Account](t, h, "GET", "/console/users", nil); err == nil || h.app.ConsoleAddress() != "" {
		t.Fatalf("%v, %q", err, h.app.ConsoleAddress())
	}
}
