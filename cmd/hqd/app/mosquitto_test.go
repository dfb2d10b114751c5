package app

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"bordergate/sync/link"
	"bordergate/sync/link/mosquittotest"
	"bordergate/sync/wire"
)

// newForeignHQ is a headquarters behind mosquitto, with certificates at every
// end and the broker's default queue limits.
func newForeignHQ(t *testing.T) (*hqRig, *mosquittotest.Broker) {
	t.Helper()
	h := newHQ(t)
	files := filepath.Join(h.dir, "broker")
	if _, err := CertifyBroker(filepath.Join(h.dir, "id"), []string{"127.0.0.1"}, files); err != nil {
		t.Fatal(err)
	}
	b := mosquittotest.New(t, files)
	h.foreign, h.scheme, h.listen = true, "ssl", b.Address()
	return h, b
}

// TestThroughMosquitto: records and a suspension through a broker that is not
// ours, which is killed in between and forgets all it had.
func TestThroughMosquitto(t *testing.T) {
	h, broker := newForeignHQ(t)
	h.start()
	enrol(t, h, "a1")
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	total := 0
	for round := range 3 {
		g.cross(40)
		total += 40
		o, want := suspension, wire.StatusSuspended
		if round == 1 {
			o = Order{Action: wire.ActionRestore, By: "N. N.", Role: wire.DeciderCommander, Ground: wire.GroundCleared}
			want = wire.StatusActive
		}
		id := decide(t, h, "a1", o)
		broker.Kill() // whatever was under way there is gone
		g.cross(30)
		total += 30
		broker.Again(t)
		waitApplied(t, h, id)
		if got := statusOf(t, g, "a1"); got != want {
			t.Fatalf("round %d: account is %s, want %s", round, got, want)
		}
		g.out.waitAcked(t, uint64(total))
	}
	onceEach(t, recordsOf(t, h, "lane-1", false), total)
}

// slowAccounts holds every commit up until it is opened.
type slowAccounts struct {
	link.Accounts
	open chan struct{}
}

func (s slowAccounts) Apply(epoch, first uint64, prev, hash wire.Hash, changes []wire.Change) error {
	<-s.open
	return s.Accounts.Apply(epoch, first, prev, hash, changes)
}

// TestQueueLimitDropsNoSuspension: mosquitto waits with 1,000 messages for a
// slow gate and drops the others, of which headquarters has its
// acknowledgement. The gate sees the hole and asks again.
func TestQueueLimitDropsNoSuspension(t *testing.T) {
	h, broker := newForeignHQ(t)
	h.start()
	const n = 450 // three messages each
	ids := make([]string, n)
	for i := range ids {
		ids[i] = "a" + strconv.Itoa(i)
	}
	enrol(t, h, ids...)
	g := newGate(t, h, "lane-1")
	hold := make(chan struct{})
	g.slow = func(a link.Accounts) link.Accounts { return slowAccounts{a, hold} }
	g.start(h)
	until(t, "the way to headquarters", g.online, true)
	var last string
	for _, id := range ids {
		last = decide(t, h, id, suspension)
	}
	close(hold)
	waitApplied(t, h, last)
	for _, id := range ids {
		if got := statusOf(t, g, id); got != wire.StatusSuspended {
			t.Fatalf("account %s is %s", id, got)
		}
	}
	if broker.Drops() == 0 {
		t.Error("the broker dropped nothing, so nothing was tried")
	}
}

// TestMosquittoKeepsGatesApart holds the access list to what our own door does:
// one gate's certificate opens nothing of another gate's.
func TestMosquittoKeepsGatesApart(t *testing.T) {
	h, _ := newForeignHQ(t)
	h.start()
	enrol(t, h, "a1")
	a, b := newGate(t, h, "lane-a"), newGate(t, h, "lane-b")
	b.start(h)
	until(t, "the way to headquarters", b.online, true)
	s := spy(t, h, a, wire.ClientID("lane-b"), wire.Prefix+"#", "#") // by the other's client id too
	for m := range s.Messages() {
		if m.Kind == link.Ready {
			break
		}
	}
	before := h.app.fleet.gates["lane-b"].refusals(h)
	for _, topic := range []string{wire.Up("lane-b", wire.TypeState), wire.TopicHQ, wire.Up("lane-a", wire.TypeState)} {
		if err := s.Publish(t.Context(), topic, []byte("nonsense"), true); err != nil {
			t.Fatal(err)
		}
	}
	b.cross(20)
	b.out.waitAcked(t, 20)
	decide(t, h, "a1", suspension) // to all, after what was for the other gate alone
	limit := time.After(patience)
	for heard := false; !heard; {
		select {
		case m := <-s.Messages():
			topic, _ := wire.ParseTopic(m.Topic)
			if m.Kind == link.Down || topic.Gate != "" && topic.Gate != "lane-a" || string(m.Payload) == "nonsense" && topic.Gate == "" {
				t.Fatalf("kind %d on %s", m.Kind, m.Topic)
			}
			heard = topic.Typ == wire.TypeUrgent
			if m.Ack != nil {
				m.Ack()
			}
		case <-limit:
			t.Fatal("waited in vain for the suspension")
		}
	}
	if h.app.fleet.gates["lane-a"].refusals(h) == 0 {
		t.Error("what a gate says in its own name does not come through")
	}
	if n := h.app.fleet.gates["lane-b"].refusals(h); n != before {
		t.Errorf("%d messages in another gate's name came through", n-before)
	}
	if len(b.online) > 0 {
		t.Error("the other gate was thrown out")
	}
}

// TestMosquittoTakesNoStranger: another authority's certificate, or none.
func TestMosquittoTakesNoStranger(t *testing.T) {
	h, _ := newForeignHQ(t)
	h.start()
	other := newSecureHQ(t)
	other.start()
	g := newGate(t, h, "lane-1")
	g.certify(other.app, time.Now(), time.Now().Add(time.Hour))
	g.refused(h, h.address(), "unknown authority", "")
	if c, err := tls.Dial("tcp", h.listen, &tls.Config{InsecureSkipVerify: true}); err == nil { //nolint:gosec // what is tried is the broker's check, not ours
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("without a certificate: %v", err)
		}
		_ = c.Close()
	}
}
